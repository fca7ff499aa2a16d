import { type CallOptions, firstNotFinite, NotFiniteError, type RowSource, ShapeError } from '@rarefy/core';
import { elementBytes, quoted, type StoredDtype, toBfloat16, toFloat16 } from '@rarefy/io';
import type { EmbeddingIds } from './ids.js';

/** How a file stores the numbers of its embeddings. In memory they are float32. */
export type EmbeddingDtype = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** The dtypes that can be written. */
export const writableDtypes = ['float32', 'float16', 'bfloat16'] as const;

export type WritableDtype = (typeof writableDtypes)[number];

const names = { F32: 'float32', F16: 'float16', BF16: 'bfloat16', F64: 'float64' } as const;

/** Name of a stored floating-point dtype; undefined for any other dtype. */
export function embeddingDtype(dtype: StoredDtype): EmbeddingDtype | undefined {
  return Object.hasOwn(names, dtype) ? names[dtype as keyof typeof names] : undefined;
}

export const storedDtypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16', float64: 'F64' } as const;

export function dtypeBytes(dtype: EmbeddingDtype): number {
  return elementBytes[storedDtypes[dtype]];
}

/** What the reader of a format returns. */
export interface EmbeddingTable extends EmbeddingIds {
  readonly metadata: Readonly<Record<string, string>>;
  readonly dtype: EmbeddingDtype;
  readonly values: RowSource;
}

/** What the writer of a format gets. Ids and shape are checked. */
export interface WritableTable extends EmbeddingTable {
  readonly dtype: WritableDtype;
}

const blockBytes = 2 ** 22;

/**
 * The rows in blocks, as numbers and as bytes in the table's dtype.
 * @throws ShapeError if the source returns another number of rows than requested; what {@link encodeRows} throws; the signal's
 * reason on abort.
 */
export async function* encodedBlocks(
  { ids, dtype, values }: WritableTable,
  options: CallOptions,
): AsyncGenerator<{ readonly start: number; readonly data: Float32Array; readonly bytes: Uint8Array }> {
  const { rows, cols } = values;
  const block = Math.max(1, Math.floor(blockBytes / (4 * Math.max(1, cols))));
  for (let start = 0; start < rows; start += block) {
    options.signal?.throwIfAborted();
    const end = Math.min(rows, start + block);
    const { data } = await values.read(start, end, { signal: options.signal });
    if (data.length !== (end - start) * cols) {
      throw new ShapeError(`rows ${start} to ${end} of ${cols} numbers were requested, got ${data.length} numbers`);
    }
    yield { start, data, bytes: encodeRows(data, cols, dtype, ids, start) };
  }
}

/**
 * Encodes rows in a dtype, little-endian, rounding to nearest with ties to even; a view of `data` for float32.
 * @param ids ids of all rows, for the error
 * @param start index of the first row of `data` in `ids`
 * @throws NotFiniteError that names the id and row of a NaN, an infinity, or a number that is too large for the dtype.
 */
export function encodeRows(
  data: Float32Array,
  cols: number,
  dtype: WritableDtype,
  ids: readonly string[],
  start: number,
): Uint8Array {
  let bad = firstNotFinite(data);
  const encoded = dtype === 'float32' ? data : dtype === 'float16' ? toFloat16(data) : toBfloat16(data);
  let what = bad < 0 ? '' : `contains ${data[bad]}`;
  if (bad < 0 && dtype !== 'float32') {
    const infinity = dtype === 'float16' ? 0x7c00 : 0x7f80;
    bad = (encoded as Uint16Array).findIndex((half) => (half & 0x7fff) === infinity);
    what = `contains ${data[bad]}, which is too large for ${dtype}; write float32`;
  }
  if (bad >= 0) {
    const row = start + Math.floor(bad / cols);
    throw new NotFiniteError(`the embedding of ${quoted(ids[row]!)} (row ${row}) ${what}`);
  }
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}
