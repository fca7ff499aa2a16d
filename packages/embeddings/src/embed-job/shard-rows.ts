import { type RowSource, ShapeError } from '@rarefy/core';
import { toFloat32 } from '@rarefy/io';
import { storedDtypes } from '../table/embedding-dtype.js';
import type { EmbedJob, Shard } from './shard-format.js';
import type { ShardStore } from './shard-store.js';

/**
 * The rows of a job that did not fail, over all its shards, with one shard in memory at a time. Meant to be read in order.
 * @param rowsOf rows of each shard that did not fail
 */
export function shardRowSource(store: ShardStore, job: EmbedJob, rowsOf: readonly number[]): RowSource {
  const { dtype, dimensions: cols } = job;
  let open: { readonly index: number; readonly shard: Shard } | undefined;
  return {
    rows: rowsOf.reduce((sum, rows) => sum + rows, 0),
    cols,
    async read(start, end, { signal } = {}) {
      const data = new Float32Array((end - start) * cols);
      let first = 0; // row at which the shard begins
      let done = 0;
      for (let index = 0; index < rowsOf.length && first < end; first += rowsOf[index++]!) {
        const from = Math.max(start, first) - first;
        const to = Math.min(end - first, rowsOf[index]!);
        if (to <= from) continue;
        signal?.throwIfAborted();
        if (open?.index !== index) open = { index, shard: await store.read(index) };
        const { header, data: stored } = open.shard;
        if (stored.length !== rowsOf[index]! * header.rowBytes) throw new ShapeError(`shard ${index} has other rows`);
        const bytes = stored.subarray(from * header.rowBytes, to * header.rowBytes);
        const values = toFloat32({ dtype: storedDtypes[dtype], shape: [to - from, cols], bytes });
        data.set(values, done);
        done += values.length;
      }
      return { data, rows: end - start, cols };
    },
  };
}
