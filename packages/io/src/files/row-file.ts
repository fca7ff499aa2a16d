import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallOptions,
  checkInteger,
  checkOptions,
  InvalidArgumentError,
  type Matrix,
  RarefyError,
  type RowSource,
  ShapeError,
} from '@rarefy/core';
import { fileError, orFileError } from '../messages.js';

/** Float32 rows in a temporary file: appended in order, read in blocks. Disposing it deletes the file. */
export interface RowFile extends RowSource, AsyncDisposable {
  /**
   * Adds rows at the end. One call at a time.
   * @throws ShapeError if the number of columns differs; InputError if the disk is full.
   */
  append(rows: Matrix, options?: CallOptions): Promise<void>;
}

export interface RowFileOptions {
  /** Folder for the file; default: the system's folder for temporary files. */
  readonly folder?: string | undefined;
}

/**
 * Creates an empty file for rows of `cols` numbers. Where the system allows it, the file is unlinked as soon as it is open, so that
 * it disappears even if the process is killed.
 * @throws InvalidArgumentError if `cols` is not an integer ≥ 0; InputError if the file cannot be created.
 */
export async function rowFile(cols: number, options: RowFileOptions = {}): Promise<RowFile> {
  checkOptions(options, ['folder'] satisfies (keyof RowFileOptions)[], 'rowFile');
  checkInteger('cols', cols, 0);
  const { folder = tmpdir() } = options;
  const own = await orFileError('write', folder, mkdtemp(join(folder, 'rarefy-rows-')));
  const path = join(own, 'rows.f32');
  const remove = () => rm(own, { recursive: true, force: true });
  let file: FileHandle | undefined;
  try {
    file = await orFileError('write', path, open(path, 'wx+'));
  } catch (error) {
    await remove();
    throw error;
  }
  await remove().catch(() => {}); // Windows keeps open files; they are removed when they are closed
  let rows = 0;
  const opened = () => {
    if (file) return file;
    throw new RarefyError(`the row file ${path} is already disposed; create a new one`);
  };
  return {
    get rows() {
      return rows;
    },
    cols,
    async append(matrix, { signal } = {}) {
      const { data } = matrix;
      if (matrix.cols !== cols || data.length !== matrix.rows * cols) {
        throw new ShapeError(`expected rows of ${cols} numbers, got ${matrix.rows} x ${matrix.cols}`);
      }
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.length; ) {
        signal?.throwIfAborted();
        const count = Math.min(bytes.length - done, 2 ** 26);
        const write = opened().write(bytes, done, count, rows * cols * 4 + done);
        done += (await orFileError('write', path, write)).bytesWritten;
      }
      rows += matrix.rows;
    },
    async read(start, end, { signal } = {}) {
      checkRows(start, end, rows);
      const data = new Float32Array((end - start) * cols);
      const bytes = new Uint8Array(data.buffer);
      for (let done = 0; done < bytes.length; ) {
        signal?.throwIfAborted();
        const count = Math.min(bytes.length - done, 2 ** 26);
        const read = opened().read(bytes, done, count, start * cols * 4 + done);
        const { bytesRead } = await orFileError('read', path, read);
        if (bytesRead === 0) throw fileError('read', path, new Error('it became shorter'));
        done += bytesRead;
      }
      return { data, rows: end - start, cols };
    },
    async [Symbol.asyncDispose]() {
      const closing = file?.close();
      file = undefined;
      await closing;
      await remove().catch(() => {});
    },
  };
}

/** @throws InvalidArgumentError unless `start` and `end` are integers with 0 ≤ start ≤ end ≤ rows. */
export function checkRows(start: number, end: number, rows: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= rows) return;
  throw new InvalidArgumentError(`cannot read rows ${start} to ${end} of ${rows}`);
}
