/** Converts rows in the form of libraries, rows x cols, to the numbers that the graph stores. */
export type RowEncoder = (rows: Float32Array) => Float32Array | Int8Array;

/**
 * Larger numbers than this many times the usual largest one of a row are clipped, so that an outlier does not make the steps
 * coarse.
 */
const widest = 3;

/**
 * Encodes numbers as integers from -127 to 127, with the same step in all columns, so that differences keep their proportions. In
 * the sample, 127 is the largest number, or 3 times the largest number of the 90th-percentile row if that is less; larger numbers
 * are clipped.
 * @param sample rows x cols, of the rows to be encoded
 * @param isCentered whether to subtract each column's median, which leaves differences as they are but changes inner products
 */
export function int8Encoder(sample: Float32Array, cols: number, isCentered: boolean): RowEncoder {
  const center = isCentered ? columnMedians(sample, cols) : new Float32Array(cols);
  const largest = new Float32Array(sample.length / cols);
  for (let index = 0; index < sample.length; index++) {
    const row = Math.floor(index / cols);
    largest[row] = Math.max(largest[row]!, Math.abs(sample[index]! - center[index % cols]!));
  }
  largest.sort();
  const limit = Math.min(largest.at(-1)!, widest * largest[Math.floor(0.9 * largest.length)]!);
  const scale = limit > 0 ? 127 / limit : 1;
  return (values) => {
    const integers = new Int8Array(values.length);
    for (let index = 0; index < values.length; ) {
      for (let c = 0; c < cols; c++, index++) {
        integers[index] = Math.max(-127, Math.min(127, Math.round((values[index]! - center[c]!) * scale)));
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
