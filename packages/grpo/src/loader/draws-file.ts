import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';

/** In the folder of a run. */
const fileName = 'draws.bin';

/** Bytes per draw: step (uint32), position (uint32), probability (float64), little-endian. */
const recordBytes = 16;

/** Every draw of a run, in order: one entry per draw in each column. */
export interface RunDraws {
  /** Step that trained on the draw; the first is 1. Refills of a step are its draws too. */
  readonly steps: Uint32Array;
  readonly positions: Int32Array;
  /** Probability of the draw at the time it was made; NaN if the sampler reports none. */
  readonly probabilities: Float64Array;
}

/**
 * Reads the draws that `trainGrpo` keeps in the folder of a run. An entry that a crash cut off does not count. After a crash, the
 * last step may be one that did not finish; a resumed run replaces it.
 * @param folder the `folder` of `checkpoint`
 * @throws InputError if the folder has no draws.
 */
export async function readDraws(folder: string): Promise<RunDraws> {
  const path = join(folder, fileName);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new InputError(`cannot read ${path}: ${folder} holds no run of trainGrpo`, { cause });
  });
  const count = Math.floor(bytes.length / recordBytes);
  const draws = {
    steps: new Uint32Array(count),
    positions: new Int32Array(count),
    probabilities: new Float64Array(count),
  };
  for (let index = 0; index < count; index++) {
    draws.steps[index] = bytes.readUInt32LE(index * recordBytes);
    draws.positions[index] = bytes.readUInt32LE(index * recordBytes + 4);
    draws.probabilities[index] = bytes.readDoubleLE(index * recordBytes + 8);
  }
  return draws;
}

/** Appends the draws of a run to its file. */
export interface DrawsFile {
  /** The draws of one step are on disk when this returns. */
  append(
    step: number,
    draws: { readonly positions: Int32Array; readonly probabilities?: Float64Array | undefined },
  ): void;
  close(): void;
}

/**
 * Opens the draws of a run for appending, and removes those of later steps than `done`. A resumed run without the file starts one.
 * @throws CorruptFileError if the file ends before step `done`.
 */
export function openDrawsFile(folder: string, done: number): DrawsFile {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, fileName);
  const file = openSync(path, 'a+');
  try {
    ftruncateSync(file, keptBytes(path, file, done));
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return {
    append(step, { positions, probabilities }) {
      const bytes = Buffer.alloc(positions.length * recordBytes);
      positions.forEach((position, index) => {
        bytes.writeUInt32LE(step, index * recordBytes);
        bytes.writeUInt32LE(position, index * recordBytes + 4);
        bytes.writeDoubleLE(probabilities?.[index] ?? Number.NaN, index * recordBytes + 8);
      });
      appendFileSync(file, bytes);
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/** Number of bytes before the first draw of a step after `done`. Steps never fall, so a binary search finds it. */
function keptBytes(path: string, file: number, done: number): number {
  const { size } = fstatSync(file);
  const bytes = Buffer.alloc(4);
  const stepAt = (index: number) => {
    readSync(file, bytes, 0, 4, index * recordBytes);
    return bytes.readUInt32LE();
  };
  let [low, high] = [0, Math.floor(size / recordBytes)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (stepAt(middle) <= done) low = middle + 1;
    else high = middle;
  }
  const last = low > 0 ? stepAt(low - 1) : 0;
  if (size > 0 && last !== done) {
    throw new CorruptFileError(
      `${path} ends at step ${last}, and the run resumes after step ${done}; move the file away to continue without those draws`,
    );
  }
  return low * recordBytes;
}
