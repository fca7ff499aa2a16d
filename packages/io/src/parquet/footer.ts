import { CorruptFileError } from '@rarefy/core';
import type { ByteSource } from '../files/byte-source.js';
import { readThrift, type ThriftStruct, type ThriftValue } from './thrift.js';

/** Physical types of Parquet, in the order of their codes. */
const types = ['BOOLEAN', 'INT32', 'INT64', 'INT96', 'FLOAT', 'DOUBLE', 'BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY'] as const;

/** A leaf of the schema. */
export interface ParquetColumn {
  /** Names from the top level down. */
  readonly path: readonly string[];
  readonly type: (typeof types)[number];
  /** Half precision in two bytes. */
  readonly isFloat16: boolean;
  readonly maxDefinition: number;
  readonly maxRepetition: number;
}

export interface ColumnChunk {
  readonly codec: number;
  /** Number of values, including nulls. */
  readonly values: number;
  /** Of its first page in the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface ParquetFooter {
  /** Bytes of the file before the footer. */
  readonly dataBytes: number;
  readonly rows: number;
  readonly columns: readonly ParquetColumn[];
  /** `chunks[i]` belongs to `columns[i]`. */
  readonly groups: readonly { readonly rows: number; readonly chunks: readonly ColumnChunk[] }[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Makes the errors about one file. */
export function corruptParquet(name: string): (what: string) => CorruptFileError {
  return (what) => new CorruptFileError(`${name} is not a valid Parquet file: ${what}. Copy or write it again.`);
}

const maxDepth = 16;
const maxFooterBytes = 2 ** 26;

/**
 * Reads the footer of an untrusted file and checks its numbers against each other and the size of the file.
 * @throws CorruptFileError that names the first rule broken.
 */
export async function readParquetFooter(source: ByteSource): Promise<ParquetFooter> {
  const { name, size } = source;
  const corrupt = corruptParquet(name);
  if (size < 12) throw corrupt(`it has ${size} bytes`);
  const end = Buffer.from(await source.read(size - 8, 8));
  const footerBytes = end.readUInt32LE(0);
  if (end.toString('latin1', 4) !== 'PAR1') throw corrupt('it does not end with PAR1; it may be truncated');
  if (footerBytes > Math.min(size - 12, maxFooterBytes)) throw corrupt(`its footer claims ${footerBytes} bytes`);
  const footerStart = size - 8 - footerBytes;
  return parseFooter(await source.read(footerStart, footerBytes), footerStart, name);
}

function parseFooter(bytes: Uint8Array, dataBytes: number, name: string): ParquetFooter {
  const corrupt = corruptParquet(name);
  const read = readThrift(bytes, 0);
  if (!read) throw corrupt('its footer cannot be read');
  const columns = leaves(structs(read.value.get(2)), corrupt);
  const rows = count(read.value.get(3));
  if (rows === undefined) throw corrupt('its footer has no number of rows');
  const groups = structs(read.value.get(4)).map((group, index) => {
    const chunks = structs(group.get(1));
    const groupRows = count(group.get(3));
    if (groupRows === undefined || chunks.length !== columns.length)
      throw corrupt(`row group ${index} does not match the schema`);
    return {
      rows: groupRows,
      chunks: chunks.map((chunk) =>
        toChunk(chunk, dataBytes, () => corrupt(`row group ${index} has an impossible column`)),
      ),
    };
  });
  if (groups.reduce((sum, group) => sum + group.rows, 0) !== rows)
    throw corrupt('its row groups do not add up to its rows');
  const notes = structs(read.value.get(5)).map((note) => [text(note.get(1)), text(note.get(2))]);
  return { dataBytes, rows, columns, groups, metadata: Object.fromEntries(notes) };
}

function leaves(elements: readonly ThriftStruct[], corrupt: ReturnType<typeof corruptParquet>): ParquetColumn[] {
  const columns: ParquetColumn[] = [];
  let next = 0;
  const visit = (path: readonly string[], maxDefinition: number, maxRepetition: number) => {
    const element = elements[next++];
    if (!element || path.length > maxDepth) throw corrupt('its schema ends early or is nested too deep');
    const isRoot = next === 1;
    const repetition = element.get(3);
    const below = isRoot ? [] : [...path, text(element.get(4))];
    const definition = maxDefinition + (isRoot || repetition === 0 || repetition === undefined ? 0 : 1);
    const repeated = maxRepetition + (!isRoot && repetition === 2 ? 1 : 0);
    const children = count(element.get(5)) ?? 0;
    if (children > elements.length) throw corrupt('its schema ends early');
    if (children === 0 && !isRoot) {
      const type = types[count(element.get(1)) ?? -1];
      if (!type) throw corrupt(`column ${below.join('.')} has no type`);
      const logical = element.get(10);
      const isFloat16 =
        type === 'FIXED_LEN_BYTE_ARRAY' && element.get(2) === 2 && logical instanceof Map && logical.has(15);
      columns.push({ path: below, type, isFloat16, maxDefinition: definition, maxRepetition: repeated });
    }
    for (let child = 0; child < children; child++) visit(below, definition, repeated);
  };
  visit([], 0, 0);
  if (next !== elements.length) throw corrupt('its schema has elements without a parent');
  return columns;
}

function toChunk(chunk: ThriftStruct, dataBytes: number, impossible: () => CorruptFileError): ColumnChunk {
  const about = chunk.get(3);
  if (!(about instanceof Map)) throw impossible();
  const [codec, values, bytes, data] = [4, 5, 7, 9].map((field) => count(about.get(field)));
  const dictionary = count(about.get(11)) || undefined;
  if (codec === undefined || values === undefined || bytes === undefined || data === undefined) throw impossible();
  const offset = dictionary !== undefined && dictionary < data ? dictionary : data;
  if (offset < 4 || offset + bytes > dataBytes) throw impossible();
  return { codec, values, offset, bytes };
}

function structs(value: ThriftValue | undefined): ThriftStruct[] {
  return Array.isArray(value) ? value.filter((item) => item instanceof Map) : [];
}

function count(value: ThriftValue | undefined): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}

function text(value: ThriftValue | undefined): string {
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')
    : '';
}
