import { type CallOptions, CorruptFileError, type Matrix, type RowSource } from '@rarefy/core';
import { type ByteSource, checkRows, elementBytes, type StoredDtype, toFloat32 } from '@rarefy/io';

/** Location of a matrix in a file: element (r, c) is `r * rowStride + c * colStride` elements after `offset`. */
export interface StoredMatrix {
  readonly dtype: StoredDtype;
  readonly rows: number;
  readonly cols: number;
  /** Of element (0, 0), in bytes from the start of the file. */
  readonly offset: number;
  /** In elements, ≥ 0. */
  readonly rowStride: number;
  readonly colStride: number;
}

/**
 * Rows of a matrix in a file. Only the requested rows are read, unless both strides are larger than 1.
 * @throws CorruptFileError if the matrix reaches past the end of the source, or claims more elements than the source has bytes for.
 */
export function matrixRows(source: ByteSource, matrix: StoredMatrix): RowSource {
  const { dtype, rows, cols, offset, rowStride, colStride } = matrix;
  const size = elementBytes[dtype];
  const span = (count: number) =>
    count === 0 || cols === 0 ? 0 : (count - 1) * rowStride + (cols - 1) * colStride + 1;
  const end = offset + span(rows) * size;
  if (!Number.isSafeInteger(end) || end > source.size || rows * cols * size > source.size) {
    throw new CorruptFileError(
      `${source.name} is truncated: ${rows} x ${cols} numbers at byte ${offset} do not fit in its ${source.size} bytes. Copy or write it again.`,
    );
  }
  const isPacked = colStride === 1 && rowStride === cols;

  /** `count` elements from `first` on, counted from element (0, 0). */
  const run = async (first: number, count: number, options: CallOptions): Promise<Float32Array> => {
    const bytes = await source.read(offset + first * size, count * size, options);
    return dtype === 'F32' ? new Float32Array(bytes.buffer) : toFloat32({ dtype, shape: [count], bytes });
  };

  return {
    rows,
    cols,
    async read(start, end, options = {}) {
      checkRows(start, end, rows);
      const count = end - start;
      if (isPacked || count * cols === 0) {
        return { data: await run(start * rowStride, count * cols, options), rows: count, cols };
      }
      const data = new Float32Array(count * cols);
      if (colStride === 1) {
        for (let row = 0; row < count; row++) data.set(await run((start + row) * rowStride, cols, options), row * cols);
      } else if (rowStride === 1) {
        for (let col = 0; col < cols; col++) {
          const column = await run(start + col * colStride, count, options);
          for (let row = 0; row < count; row++) data[row * cols + col] = column[row]!;
        }
      } else {
        const all = await run(start * rowStride, span(count), options);
        for (let row = 0; row < count; row++) {
          for (let col = 0; col < cols; col++) data[row * cols + col] = all[row * rowStride + col * colStride]!;
        }
      }
      return { data, rows: count, cols };
    },
  };
}

/** Rows of a matrix in memory. */
export function memoryRows({ data, rows, cols }: Matrix): RowSource {
  return {
    rows,
    cols,
    async read(start, end, { signal } = {}) {
      signal?.throwIfAborted();
      checkRows(start, end, rows);
      return { data: data.slice(start * cols, end * cols), rows: end - start, cols };
    },
  };
}
