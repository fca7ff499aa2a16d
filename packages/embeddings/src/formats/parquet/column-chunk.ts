import { type CorruptFileError, InputError } from '@rarefy/core';
import {
  type ColumnChunk,
  corruptParquet,
  fromFloat16,
  type ParquetColumn,
  readThrift,
  type ThriftStruct,
} from '@rarefy/io';
import { canUnpack, codecName, readRuns, unpackPage } from './page-data.js';

/** Values of a column: numbers for floats and INT32, bigints for INT64, strings for BYTE_ARRAY. */
export type ColumnValues = Float32Array | Int32Array | BigInt64Array | string[];

/** The values of a page. None is missing. */
interface Page {
  readonly values: ColumnValues;
  readonly count: number;
}

export interface ColumnLimits {
  /** Values per row: 1 for a column without lists. */
  readonly width: number;
  /** Maximum size of a decompressed page, in bytes. */
  readonly limit: number;
  /** Maximum size of all decompressed pages, counted down: a chunk may have very many small compressed pages. */
  readonly budget: { left: number };
  /** Name of the file, for messages. */
  readonly name: string;
}

/**
 * Decodes an untrusted column chunk with plain or dictionary encoding. No value may be missing, and every list must have `width`
 * values.
 * @returns the values of each page
 * @throws InputError for an unsupported encoding or codec, and for missing values; CorruptFileError that says what is wrong.
 */
export function readColumnChunk(
  bytes: Uint8Array,
  column: ParquetColumn,
  chunk: ColumnChunk,
  { width, limit, budget, name }: ColumnLimits,
): ColumnValues[] {
  const title = column.path.join('.');
  const corrupt = (what: string): CorruptFileError => corruptParquet(name)(`column ${title} ${what}`);
  if (!canUnpack(chunk.codec)) {
    throw new InputError(
      `${name}: column ${title} is compressed with ${codecName(chunk.codec)}, which is not supported here. Write it with snappy or gzip.`,
    );
  }
  const pages: ColumnValues[] = [];
  let dictionary: ColumnValues | undefined;
  let seen = 0;
  for (let at = 0; seen < chunk.values; ) {
    const header = readThrift(bytes, at);
    if (!header) throw corrupt(`has no page at byte ${at}`);
    const packedBytes = numberOf(header.value, 3);
    const size = numberOf(header.value, 2);
    if (packedBytes > bytes.length - header.end) throw corrupt('ends within a page');
    if (size > limit) throw corrupt(`has a page of ${size} bytes; at most ${limit} are allowed`);
    budget.left -= size;
    if (budget.left < 0) throw corrupt('has pages that decompress to far more than its values need');
    const packed = bytes.subarray(header.end, header.end + packedBytes);
    at = header.end + packedBytes;
    const type = header.value.get(1);
    if (type === 2 && dictionary === undefined && seen === 0) {
      const about = structOf(header.value, 7);
      const page = unpackPage(packed, chunk.codec, size);
      dictionary = page && plainValues(page, column, numberOf(about, 1));
      if (!dictionary) throw corrupt('has a dictionary that cannot be read');
    } else if (type === 0 || type === 3) {
      const { values, count } = dataPage(header.value, packed, size);
      pages.push(values);
      seen += count;
    } else if (type !== 1) throw corrupt(`has a page of type ${String(type)}`); // 1 is an index page
  }
  if (seen !== chunk.values) throw corrupt(`has ${seen} values, expected ${chunk.values}`);
  return pages;

  function dataPage(header: ThriftStruct, packed: Uint8Array, size: number): Page {
    const isV2 = header.get(1) === 3;
    const about = structOf(header, isV2 ? 8 : 5);
    const count = numberOf(about, 1);
    if (count > chunk.values - seen) throw corrupt('has more values than it claims');
    let page: Uint8Array | undefined;
    let levels: (Uint8Array | undefined)[];
    if (isV2) {
      const lengths = [numberOf(about, 6), numberOf(about, 5)] as const;
      const start = lengths[0] + lengths[1];
      if (start > packed.length || start > size) throw corrupt('has levels beyond their page');
      levels = [packed.subarray(0, lengths[0]), packed.subarray(lengths[0], start)];
      const codec = about.get(7) === false ? 0 : chunk.codec;
      page = start === size ? new Uint8Array(0) : unpackPage(packed.subarray(start), codec, size - start);
    } else {
      page = unpackPage(packed, chunk.codec, size);
      levels = [column.maxRepetition, column.maxDefinition].map((max) => {
        if (max === 0 || !page || page.length < 4) return undefined;
        const length = new DataView(page.buffer, page.byteOffset).getUint32(0, true);
        if (length > page.length - 4) throw corrupt('has levels beyond their page');
        const found = page.subarray(4, 4 + length);
        page = page.subarray(4 + length);
        return found;
      });
    }
    if (!page) throw corrupt('has a page that cannot be decompressed');
    checkLevels(levels, count);
    const encoding = about.get(isV2 ? 4 : 2);
    if (encoding === 0) {
      const values = plainValues(page, column, count);
      if (!values) throw corrupt(`has ${page.length} bytes that are not ${count} values; strings must be UTF-8`);
      return { values, count };
    }
    if (encoding !== 2 && encoding !== 8) {
      throw new InputError(
        `${name}: column ${title} has encoding ${String(encoding)}; only plain and dictionary encoding are supported. Write it with one of them.`,
      );
    }
    const bits = page[0] ?? 0;
    const indexes = bits <= 24 ? readRuns(page.subarray(1), bits, count) : undefined;
    const values = dictionary && indexes && pick(dictionary, indexes);
    if (!values) throw corrupt('refers to values outside its dictionary');
    return { values, count };
  }

  /** Checks that no value is missing and that a row begins every `width` values. */
  function checkLevels([repetition, definition]: readonly (Uint8Array | undefined)[], count: number): void {
    if (column.maxDefinition > 0) {
      const found = definition && readRuns(definition, 32 - Math.clz32(column.maxDefinition), count);
      if (!found) throw corrupt('has levels that cannot be read');
      if (found.some((level) => level !== column.maxDefinition)) {
        throw new InputError(
          `${name}: column ${title} has missing values. Give every row all of its numbers and an id.`,
        );
      }
    }
    if (column.maxRepetition > 0) {
      const found = repetition && readRuns(repetition, 1, count);
      if (!found) throw corrupt('has levels that cannot be read');
      const odd = found.findIndex((level, index) => (level === 0) !== ((seen + index) % width === 0));
      if (odd >= 0)
        throw new InputError(
          `${name}: the lists of column ${title} differ in length. Give every row the same number of values.`,
        );
    }
  }
}

function plainValues(page: Uint8Array, { type, isFloat16 }: ParquetColumn, count: number): ColumnValues | undefined {
  if (type === 'BYTE_ARRAY') return plainTexts(page, count);
  const size = isFloat16 ? 2 : type === 'FLOAT' || type === 'INT32' ? 4 : 8;
  if (count * size !== page.length) return undefined;
  const { buffer } = new Uint8Array(page); // aligned
  if (isFloat16) return fromFloat16(new Uint16Array(buffer));
  switch (type) {
    case 'FLOAT':
      return new Float32Array(buffer);
    case 'DOUBLE':
      return Float32Array.from(new Float64Array(buffer));
    case 'INT32':
      return new Int32Array(buffer);
    case 'INT64':
      return new BigInt64Array(buffer);
    default:
      return undefined;
  }
}

function plainTexts(page: Uint8Array, count: number): string[] | undefined {
  if (4 * count > page.length) return undefined;
  const buffer = Buffer.from(page.buffer, page.byteOffset, page.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // an id may begin with U+FEFF
  const texts: string[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 4 > page.length) return undefined;
    const end = at + 4 + buffer.readUInt32LE(at);
    if (end > page.length) return undefined;
    try {
      texts.push(decoder.decode(page.subarray(at + 4, end)));
    } catch {
      return undefined;
    }
    at = end;
  }
  return at === page.length ? texts : undefined;
}

function pick(dictionary: ColumnValues, indexes: Uint32Array): ColumnValues | undefined {
  if (indexes.some((index) => index >= dictionary.length)) return undefined;
  if (Array.isArray(dictionary)) return Array.from(indexes, (index) => dictionary[index]!);
  const values = dictionary.slice(0, 0).constructor as new (length: number) => Exclude<ColumnValues, string[]>;
  const picked = new values(indexes.length);
  for (const [at, index] of indexes.entries()) picked[at] = dictionary[index]!;
  return picked;
}

function structOf(value: ThriftStruct, field: number): ThriftStruct {
  const found = value.get(field);
  return found instanceof Map ? found : new Map();
}

/** A length; infinity if it is missing or negative, so that every limit rejects it. */
function numberOf(value: ThriftStruct, field: number): number {
  const found = value.get(field);
  return typeof found === 'number' && found >= 0 ? found : Number.POSITIVE_INFINITY;
}
