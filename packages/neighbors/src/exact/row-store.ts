import { type CallOptions, type Matrix, RarefyError } from '@rarefy/core';
import { readerOf } from './join/row-reader.js';
import { appendReader, noRows, type Rows } from './rows.js';
import { timeSlices } from './time-slices.js';

/** The rows of an index, copied. What is read of them stays as it is while more are added. */
export interface RowStore {
  readonly rows: Rows;
  add(vectors: Matrix, options?: CallOptions): Promise<void>;
  /** @throws RarefyError after `dispose`. */
  checkAlive(): void;
  dispose(): void;
}

export function rowStore(): RowStore {
  let rows = noRows;
  let adding: Promise<unknown> = Promise.resolve();
  let isDisposed = false;
  const checkAlive = () => {
    if (isDisposed) throw new RarefyError('this index was disposed; make a new one');
  };
  return {
    get rows() {
      return rows;
    },
    async add(vectors, options = {}) {
      options.signal?.throwIfAborted();
      checkAlive();
      const reader = readerOf(vectors, 'vectors', options);
      // One after the other, so that each adds below what is there.
      const added = adding.then(async () => {
        const longer = await appendReader(rows, reader, timeSlices(options.signal));
        checkAlive();
        rows = longer;
      });
      adding = added.catch(() => {});
      await added;
    },
    checkAlive,
    dispose() {
      isDisposed = true;
      rows = noRows;
    },
  };
}
