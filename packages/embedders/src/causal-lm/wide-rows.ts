import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import {
  type CallOptions,
  type DistanceError,
  type EmbeddedRows,
  type Embedder,
  embedStream,
  InputError,
  InvalidArgumentError,
} from '@rarefy/core';
import { rowFile } from '@rarefy/io';
import { hashedProjection } from './hashed-projection.js';

/** How to store pooled logits, which are as wide as the vocabulary. */
export interface WideRowsOptions {
  /** Folder of the temporary file; default the system's folder for temporary files. */
  readonly folder?: string;
  /**
   * Most bytes of rows on disk, 4 per text and token; rows that need more are projected. Default 2^32: 21,000 texts for 50,304
   * tokens.
   */
  readonly diskBytes?: number;
  /** Columns of projected rows, a multiple of 4; default 1024. */
  readonly projectedColumns?: number;
  /** Seed of the projection; default 0. */
  readonly seed?: number;
}

export const wideOptionNames = ['folder', 'diskBytes', 'projectedColumns', 'seed'] satisfies (keyof WideRowsOptions)[];

/** Rows that the error of the projection is measured on. */
const sampledRows = 64;
const task = 'vocabulary-space';

/**
 * Writes the rows of all items to disk: as they are up to `diskBytes`, projected beyond that. A warning says which, and how large
 * the errors of projected distances are. Rows in hidden size (`isShort`) are never projected; a message reports them.
 * @throws InvalidArgumentError if an option is out of range; InputError if the disk has too little space; the signal's reason on
 * abort.
 */
export async function wideRows<Item>(
  embedder: Embedder<Item>,
  items: readonly Item[],
  {
    folder,
    diskBytes = 2 ** 32,
    projectedColumns = 1024,
    seed = 0,
    isShort = false,
  }: WideRowsOptions & { readonly isShort?: boolean },
  options: CallOptions & { readonly batchSize?: number },
): Promise<EmbeddedRows> {
  checkWideRows({ diskBytes, projectedColumns });
  const { dimensions } = embedder.capabilities;
  const bytes = items.length * dimensions * 4;
  const isProjected = !isShort && bytes > diskBytes;
  const cols = isProjected ? projectedColumns : dimensions;
  await checkSpace(folder, items.length * cols * 4, options.signal);
  const project = isProjected ? hashedProjection(dimensions, cols, seed) : undefined;
  const warn = (code: string, message: string) => options.onEvent?.({ type: 'work-warning', task, code, message });
  if (isShort) {
    const message = `writing ${items.length} rows of ${dimensions} numbers that represent logits to disk: ${gigabytes(bytes)} GB`;
    options.onEvent?.({ type: 'work-message', task, message });
  } else if (!project) {
    warn(
      'vocabulary-wide-rows',
      `the output head is not linear: ${items.length} rows of ${dimensions} logits (${gigabytes(bytes)} GB) are written to disk and compared block by block, exactly`,
    );
  }

  const file = await rowFile(cols, { folder });
  try {
    const truncated: number[] = [];
    const { batchSize = 32, signal, onEvent } = options;
    const work = { batchSize, total: items.length, signal, onEvent };
    const step = Math.max(1, Math.floor(items.length / sampledRows));
    const samples: { exact: Float32Array; projected: Float32Array }[] = [];
    for await (const part of embedStream(embedder, items, work)) {
      truncated.push(...part.truncated);
      const { data, rows } = part.embeddings;
      if (!project) {
        await file.append(part.embeddings, options);
        continue;
      }
      const images = new Float32Array(rows * cols);
      for (let row = 0; row < rows; row++) {
        const exact = data.subarray(row * dimensions, (row + 1) * dimensions);
        const projected = project(exact);
        images.set(projected, row * cols);
        const isSampled = (part.start + row) % step === 0 && samples.length < sampledRows;
        if (isSampled) samples.push({ exact: exact.slice(), projected });
      }
      await file.append({ data: images, rows, cols }, options);
    }
    if (!project) return { ...file, rows: file.rows, fingerprint: embedder.fingerprint, truncated };
    const error = distanceError(samples);
    warn(
      'projected-rows',
      `the output head is not linear, and ${items.length} rows of ${dimensions} logits need ${gigabytes(bytes)} GB on disk, more than the limit of ${gigabytes(diskBytes)} GB: they were projected to ${cols} numbers. Over ${error.pairs} sampled pairs, distances are off by ${percent(error.median)} (median), ${percent(error.percentile95)} (95th percentile), ${percent(error.largest)} (maximum). Raise diskBytes for exact distances.`,
    );
    const fingerprint = `hashed-projection:columns=${cols},seed=${seed}:(${embedder.fingerprint})`;
    return { ...file, rows: file.rows, fingerprint, truncated, distanceError: error };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/** @throws InvalidArgumentError if an option is out of range. */
export function checkWideRows({ diskBytes = 0, projectedColumns = 4 }: WideRowsOptions): void {
  if (!(diskBytes >= 0)) throw new InvalidArgumentError(`diskBytes must be at least 0, got ${diskBytes}`);
  if (!(Number.isInteger(projectedColumns) && projectedColumns >= 4 && projectedColumns % 4 === 0)) {
    throw new InvalidArgumentError(`projectedColumns must be a multiple of 4, at least 4, got ${projectedColumns}`);
  }
}

/** Fails before the texts are embedded, not when the disk is full. */
async function checkSpace(folder = tmpdir(), bytes: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: Number.POSITIVE_INFINITY, bsize: 1 }));
  if (bavail * bsize >= bytes) return;
  throw new InputError(
    `rows of logits need ${gigabytes(bytes)} GB in ${folder}, which has ${gigabytes(bavail * bsize)} GB free. Choose a folder on another disk, or lower diskBytes to project the rows.`,
  );
}

/** Relative errors of the distances between projected rows, over all pairs of samples that differ. */
function distanceError(samples: readonly { exact: Float32Array; projected: Float32Array }[]): DistanceError {
  const errors: number[] = [];
  for (const [i, a] of samples.entries()) {
    for (const b of samples.slice(0, i)) {
      const distance = euclidean(a.exact, b.exact);
      if (distance > 0) errors.push(Math.abs(euclidean(a.projected, b.projected) / distance - 1));
    }
  }
  errors.sort((a, b) => a - b);
  const quantile = (share: number) => errors[Math.min(errors.length - 1, Math.floor(share * errors.length))] ?? 0;
  return { pairs: errors.length, median: quantile(0.5), percentile95: quantile(0.95), largest: quantile(1) };
}

function euclidean(a: Float32Array, b: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(squares);
}

const gigabytes = (bytes: number) => (bytes / 1e9).toPrecision(2);
const percent = (share: number) => `${(100 * share).toPrecision(2)} %`;
