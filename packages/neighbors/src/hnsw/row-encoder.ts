/** Rows as the graph takes them, rows x cols, from rows as libraries want them. */
export type RowEncoder = (rows: Float32Array) => Float32Array | Int8Array;

/** Numbers beyond so many times the usual largest one of a row are cut, lest an odd row makes the steps coarse for all. */
const widest = 3;

/**
 * Numbers as integers from -127 to 127, all columns in the same steps, so that differences keep their proportions. The steps come from
 * `sample`: its largest number is 127, or 3 times the largest number of nine rows in ten where that is less; larger ones are cut.
 * @param sample rows x cols, of the rows to come
 * @param isCentered whether each column's median is taken off: differences do not feel it, inner products do
 */
export function int8Encoder(sample: Float32Array, cols: number, isCentered: boolean): RowEncoder {
  const center = isCentered ? columnMedians(sample, cols) : new Float32Array(cols);
  const largest = new Float32Array(sample.length / cols);
  for (let at = 0; at < sample.length; at++) {
    const row = Math.floor(at / cols);
    largest[row] = Math.max(largest[row]!, Math.abs(sample[at]! - center[at % cols]!));
  }
  largest.sort();
  const limit = Math.min(largest.at(-1)!, widest * largest[Math.floor(0.9 * largest.length)]!);
  const scale = limit > 0 ? 127 / limit : 1;
  return (values) => {
    const integers = new Int8Array(values.length);
    for (let at = 0; at < values.length; ) {
      for (let c = 0; c < cols; c++, at++) {
        integers[at] = Math.max(-127, Math.min(127, Math.round((values[at]! - center[c]!) * scale)));
      }
    }
    return integers;
  };
}

function columnMedians(sample: Float32Array, cols: number): Float32Array {
  const rows = sample.length / cols;
  const column = new Float32Array(rows);
  return Float32Array.from({ length: cols }, (_, c) => {
    for (let row = 0; row < rows; row++) column[row] = sample[row * cols + c]!;
    return column.sort()[rows >> 1]!;
  });
}

export const floatEncoder: RowEncoder = (rows) => rows;
