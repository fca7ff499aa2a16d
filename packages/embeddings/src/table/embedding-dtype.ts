import { NotFiniteError } from '@rarefy/core';
import { elementBytes, quoted, type StoredDtype, toBfloat16, toFloat16 } from '@rarefy/io';

/** How a file holds the numbers of its embeddings; in memory they are float32. */
export type EmbeddingDtype = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** The dtypes that can be written. */
export const writableDtypes = ['float32', 'float16', 'bfloat16'] as const;

export type WritableDtype = (typeof writableDtypes)[number];

const names = { F32: 'float32', F16: 'float16', BF16: 'bfloat16', F64: 'float64' } as const;

/** The name of a floating-point dtype of a file, or undefined for any other. */
export function embeddingDtype(dtype: StoredDtype): EmbeddingDtype | undefined {
  return Object.hasOwn(names, dtype) ? names[dtype as keyof typeof names] : undefined;
}

export const storedDtypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16', float64: 'F64' } as const;

export function dtypeBytes(dtype: EmbeddingDtype): number {
  return elementBytes[storedDtypes[dtype]];
}

/**
 * The bytes of rows in a dtype, little-endian, rounded to the nearest and ties to even; a view of `data` for float32.
 * @param start position of the first row among `ids`, which are for the error
 * @throws NotFiniteError naming the id and row of a NaN, of an infinity, or of a number too large for the dtype.
 */
export function encodeRows(
  data: Float32Array,
  cols: number,
  dtype: WritableDtype,
  ids: readonly string[],
  start: number,
): Uint8Array {
  let bad = data.findIndex((value) => !Number.isFinite(value));
  const encoded = dtype === 'float32' ? data : dtype === 'float16' ? toFloat16(data) : toBfloat16(data);
  let what = bad < 0 ? '' : `holds ${data[bad]}`;
  if (bad < 0 && dtype !== 'float32') {
    const infinity = dtype === 'float16' ? 0x7c00 : 0x7f80;
    bad = (encoded as Uint16Array).findIndex((half) => (half & 0x7fff) === infinity);
    what = `holds ${data[bad]}, which ${dtype} cannot; write float32`;
  }
  if (bad >= 0) {
    const row = start + Math.floor(bad / cols);
    throw new NotFiniteError(`the embedding of ${quoted(ids[row]!)} (row ${row}) ${what}`);
  }
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}
