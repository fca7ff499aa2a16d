import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallOptions, type Matrix, RarefyError, type RowSource, ShapeError } from '@rarefy/core';
import { checkRows } from './check-rows.js';
import { fileError, orFileError } from './file-error.js';

/** Float32 rows on disk, while someone works with them: appended in order, read in blocks. Gone once disposed. */
export interface RowFile extends RowSource, AsyncDisposable {
  /** Writes rows below those that are there. One call at a time. @throws ShapeError for other columns; InputError when the disk is full. */
  append(rows: Matrix, options?: CallOptions): Promise<void>;
}

export interface RowFileOptions {
  /** Where; default the system's folder for temporary files. */
  readonly folder?: string | undefined;
}

/**
 * An empty file of rows of `cols` numbers, in a new folder of its own. Where the system allows it the file loses its name as soon as
 * it is open, so that nothing of it is left even when the process is killed.
 * @throws InputError when it cannot be made.
 */
export async function rowFile(cols: number, { folder = tmpdir() }: RowFileOptions = {}): Promise<RowFile> {
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
  await remove().catch(() => {}); // a system that keeps open files does it when the file is closed
  let rows = 0;
  const opened = () => {
    if (file) return file;
    throw new RarefyError(`the rows of ${path} were given up; make a new file`);
  };
  return {
    get rows() {
      return rows;
    },
    cols,
    async append(matrix, { signal } = {}) {
      const { data } = matrix;
      if (matrix.cols !== cols || data.length !== matrix.rows * cols) {
        throw new ShapeError(`rows of ${cols} numbers are kept, and these are ${matrix.rows} x ${matrix.cols}`);
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
