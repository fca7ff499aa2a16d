import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError, type RowSource } from '@rarefy/core';
import { writeEmbeddings } from '@rarefy/embeddings';
import { afterAll, beforeAll, expect } from 'vitest';
import { casesOf } from './exhaustive.js';
import { watchAllocations } from './watch-allocations.js';

const slack = 4096; // for the fixed parts of a format, such as a header of 8 bytes
const count = casesOf(8_000, 1_000_000);

/** Time for a million inputs on a busy machine. */
export const fuzzTimeout = 30 * 60_000;

/**
 * Small valid files of a format: text ids, integer ids, and half precision if it has that; for npy also the ids of the last file,
 * which are in a file beside it.
 */
export async function smallFiles(extension: string): Promise<{ files: Uint8Array[]; ids: Uint8Array }> {
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-fuzz-'));
  const path = join(folder, `x.${extension}`);
  const embeddings = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 3, cols: 2 };
  const files: Uint8Array[] = [];
  const kinds = [
    [false, 'float32'],
    [true, 'float32'],
    [false, 'float16'],
  ] as const;
  for (const [integerIds, dtype] of extension === 'parquet' ? kinds.slice(0, 2) : kinds) {
    const ids = integerIds ? ['0', '-5', '70000'] : ['a', 'é', 'c'];
    await writeEmbeddings(path, { ids, integerIds, embeddings, metadata: { note: 'n' } }, { dtype });
    files.push(new Uint8Array(await readFile(path)));
  }
  const ids = extension === 'npy' ? await readFile(join(folder, 'x.ids.json')) : new Uint8Array(0);
  await rm(folder, { recursive: true });
  return { files, ids };
}

let watch: ReturnType<typeof watchAllocations>;

/** Call it once per test file: watches allocations, and disables stack traces, which would slow down a million errors. */
export function watchWhileFuzzing(): void {
  const { stackTraceLimit } = Error;
  beforeAll(() => {
    Error.stackTraceLimit = 0;
    watch = watchAllocations();
  });
  afterAll(() => {
    watch.stop();
    Error.stackTraceLimit = stackTraceLimit;
  });
}

/**
 * Opens inputs and reads all of their rows: each is refused with one of our errors, or is valid, and nothing larger than twice the
 * input is allocated, or than `least`.
 */
export async function fuzz(
  next: () => Uint8Array,
  open: (input: Uint8Array) => Promise<{ readonly ids: readonly string[]; readonly values: RowSource }>,
  least = 0,
  cases = count,
): Promise<void> {
  let read = 0;
  for (let round = 0; round < cases; round++) {
    const input = next();
    watch.largest();
    try {
      const { ids, values } = await open(input);
      const { rows, cols } = values;
      const { data } = await values.read(0, rows);
      if (ids.length !== rows || data.length !== rows * cols) throw new TypeError('it does not fit itself');
      read++;
    } catch (error) {
      checkRefused(error, input);
    }
    checkLargest(input, least);
  }
  expect(read).toBeGreaterThan(cases / 1000); // the mutations get past the first checks
  expect(read).toBeLessThan(0.9 * cases);
}

/** The same for a reader of bytes, which must accept at least one input of a thousand. */
export function sweep(next: () => Uint8Array, read: (input: Uint8Array) => unknown): void {
  let done = 0;
  for (let round = 0; round < count; round++) {
    const input = next();
    watch.largest();
    try {
      if (read(input) !== undefined) done++;
    } catch (error) {
      checkRefused(error, input);
    }
    checkLargest(input, 0);
  }
  expect(done).toBeGreaterThan(count / 1000);
  expect(done).toBeLessThan(count);
}

/** Any other error is a bug in a reader. */
function checkRefused(error: unknown, input: Uint8Array): void {
  if (CorruptFileError.isInstance(error) || InputError.isInstance(error)) return;
  throw new Error(`input ${Buffer.from(input).toString('base64')} ended with ${String(error)}`, { cause: error });
}

function checkLargest(input: Uint8Array, least: number): void {
  const largest = watch.largest();
  if (largest <= Math.max(2 * input.length + slack, least)) return;
  throw new Error(
    `input ${Buffer.from(input).toString('base64')} of ${input.length} bytes made an array of ${largest}`,
  );
}
