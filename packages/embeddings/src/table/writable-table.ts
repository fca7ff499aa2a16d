import { type CallOptions, type RowSource, ShapeError } from '@rarefy/core';
import { encodeRows, type WritableDtype } from './embedding-dtype.js';
import type { EmbeddingIds } from './embedding-ids.js';

/** What every format's writer gets, its ids and shape checked. */
export interface WritableTable extends EmbeddingIds {
  readonly metadata: Readonly<Record<string, string>>;
  readonly dtype: WritableDtype;
  readonly values: RowSource;
}

const blockBytes = 2 ** 22;

/**
 * The rows, block by block, with the bytes that they are in the table's dtype.
 * @throws what encodeRows throws; ShapeError when the source gives other rows than it was asked for; the signal's reason on abort.
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
    const { data } = await values.read(start, end, options);
    if (data.length !== (end - start) * cols) {
      throw new ShapeError(
        `rows ${start} to ${end} of ${cols} numbers were asked for, and ${data.length} numbers came`,
      );
    }
    yield { start, data, bytes: encodeRows(data, cols, dtype, ids, start) };
  }
}
