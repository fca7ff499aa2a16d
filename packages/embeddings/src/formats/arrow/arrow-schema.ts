import { InputError } from '@rarefy/core';
import type { StoredDtype } from '@rarefy/io';
import type { FlatTable } from './flatbuffer.js';

/** What of a schema a reader of embeddings needs: where the buffers of its two columns begin among those of a batch. */
export interface ArrowSchema {
  readonly ids: ColumnPlace & { readonly type: 'Utf8' | 'LargeUtf8' | 'I32' | 'I64' };
  readonly embeddings: ColumnPlace & {
    readonly list: 'FixedSizeList' | 'List' | 'LargeList';
    /** Of a FixedSizeList. */
    readonly cols: number;
    readonly dtype: StoredDtype;
  };
  readonly metadata: Readonly<Record<string, string>>;
}

interface ColumnPlace {
  /** First node and first buffer of the column. */
  readonly node: number;
  readonly buffer: number;
}

const typeNames: Readonly<Record<number, string>> = {
  1: 'Null',
  2: 'Int',
  3: 'FloatingPoint',
  4: 'Binary',
  5: 'Utf8',
  6: 'Bool',
  7: 'Decimal',
  8: 'Date',
  9: 'Time',
  10: 'Timestamp',
  11: 'Interval',
  12: 'List',
  13: 'Struct',
  15: 'FixedSizeBinary',
  16: 'FixedSizeList',
  17: 'Map',
  18: 'Duration',
  19: 'LargeBinary',
  20: 'LargeUtf8',
  21: 'LargeList',
};
const buffersOf: Readonly<Record<string, number>> = {
  Null: 0,
  Struct: 1,
  FixedSizeList: 1,
  Binary: 3,
  Utf8: 3,
  LargeBinary: 3,
  LargeUtf8: 3,
};
const idNames = ['id', 'ids'];
const embeddingNames = ['embedding', 'embeddings', 'emb'];
const maxDepth = 16;

/** @throws InputError when there is no column of ids, or of lists of floats, or a type of column that is not known; outOfRange. */
export function arrowSchema(schema: FlatTable, name: string): ArrowSchema {
  if (schema.int16(0) !== 0)
    throw new InputError(`${name} holds big-endian numbers. Write it on a little-endian machine.`);
  let ids: ArrowSchema['ids'] | undefined;
  let embeddings: ArrowSchema['embeddings'] | undefined;
  let node = 0;
  let buffer = 0;
  const seen: string[] = [];
  for (const field of schema.tables(1)) {
    const title = field.text(0);
    const place = { node, buffer };
    const idType = idTypeOf(field);
    const list = listOf(field);
    seen.push(`${title} (${typeNames[field.uint8(2)] ?? 'unknown'})`);
    if (idNames.includes(title) && idType && !ids) ids = { ...place, type: idType };
    else if (embeddingNames.includes(title) && list && !embeddings) embeddings = { ...place, ...list };
    const counted = countOf(field, 0, name);
    node += counted.nodes;
    buffer += counted.buffers;
  }
  if (!ids || !embeddings) {
    throw new InputError(
      `${name} needs a column id of texts or integers and a column embedding of lists of floats; it has ${seen.slice(0, 20).join(', ') || 'none'}.`,
    );
  }
  return {
    ids,
    embeddings,
    metadata: Object.fromEntries(schema.tables(2).map((note) => [note.text(0), note.text(1)])),
  };
}

/** Nodes and buffers that a column and its children have in a batch. */
function countOf(field: FlatTable, depth: number, name: string): { nodes: number; buffers: number } {
  const type = field.table(4) ? 'Int' : typeNames[field.uint8(2)]; // a dictionary's indexes
  if (type === undefined || depth > maxDepth) {
    throw new InputError(
      `${name} has a column ${JSON.stringify(field.text(0))} of a type that is not read. Leave it out.`,
    );
  }
  let nodes = 1;
  let buffers = buffersOf[type] ?? 2;
  for (const child of field.table(4) ? [] : field.tables(5)) {
    const counted = countOf(child, depth + 1, name);
    nodes += counted.nodes;
    buffers += counted.buffers;
  }
  return { nodes, buffers };
}

function idTypeOf(field: FlatTable): ArrowSchema['ids']['type'] | undefined {
  const type = typeNames[field.uint8(2)];
  if (field.table(4)) return undefined;
  if (type === 'Utf8' || type === 'LargeUtf8') return type;
  const width = type === 'Int' && field.table(3)?.uint8(1) === 1 ? field.table(3)!.int32(0) : 0;
  return width === 32 ? 'I32' : width === 64 ? 'I64' : undefined;
}

function listOf(field: FlatTable): Omit<ArrowSchema['embeddings'], keyof ColumnPlace> | undefined {
  const list = typeNames[field.uint8(2)];
  const [child, ...others] = field.tables(5);
  if (field.table(4) || !child || others.length > 0 || typeNames[child.uint8(2)] !== 'FloatingPoint') return undefined;
  const dtype = (['F16', 'F32', 'F64'] as const)[child.table(3)?.int16(0) ?? -1];
  if (!dtype || (list !== 'FixedSizeList' && list !== 'List' && list !== 'LargeList')) return undefined;
  return { list, cols: list === 'FixedSizeList' ? Math.max(0, field.table(3)?.int32(0) ?? 0) : 0, dtype };
}
