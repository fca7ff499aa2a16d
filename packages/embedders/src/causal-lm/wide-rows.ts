import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import {
  type CallOptions,
  type EmbeddedRows,
  type Embedder,
  embedStream,
  InputError,
  InvalidArgumentError,
  type WorkEvent,
} from '@rarefy/core';
import { rowFile } from '@rarefy/io';
import { distanceError } from './distance-error.js';
import { hashedProjection } from './hashed-projection.js';

/** What becomes of pooled logits that are as wide as the vocabulary. */
export interface WideRowsOptions {
  /** Where they lie while they are needed; default the system's folder for temporary files. */
  readonly folder?: string;
  /** Most bytes of them on disk, 4 a text and token; more are projected. Default 2^32: 21,000 texts for 50,304 tokens. */
  readonly diskBytes?: number;
  /** Numbers a projected row, a multiple of 4; default 1024. */
  readonly projectedColumns?: number;
  /** Of the projection; default 0. */
  readonly seed?: number;
}

/** Rows whose true distances are measured against those of their projections. */
const sampledRows = 64;
const task = 'vocabulary-space';

/**
 * Rows of all items on disk: as they are up to `diskBytes`, projected beyond. A warning says which, and how far off projected
 * distances are; rows in hidden size (`isShort`) are never projected, and a message tells of them.
 * @throws InvalidArgumentError for options out of range; InputError when the disk has too little space.
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
  const tell = (event: Omit<Extract<WorkEvent, { type: 'work-warning' }>, 'type' | 'task'>) =>
    options.onEvent?.({ type: 'work-warning', task, ...event });
  if (isShort) {
    const message = `${items.length} rows of ${dimensions} numbers that stand for logits, ${gigabytes(bytes)} GB, go to disk`;
    options.onEvent?.({ type: 'work-message', task, message });
  } else if (!project) {
    tell({
      code: 'vocabulary-wide-rows',
      message: `the output head is not linear: ${items.length} rows of ${dimensions} logits, ${gigabytes(bytes)} GB, go to disk and are compared there block by block, exactly`,
    });
  }

  const file = await rowFile(cols, { folder });
  try {
    const truncated: number[] = [];
    const step = Math.max(1, Math.floor(items.length / sampledRows));
    const samples: { exact: Float32Array; kept: Float32Array }[] = [];
    for await (const part of embedStream(embedder, items, { ...options, total: items.length })) {
      truncated.push(...part.truncated);
      const { data, rows } = part.embeddings;
      if (!project) {
        await file.append(part.embeddings, options);
        continue;
      }
      const kept = new Float32Array(rows * cols);
      for (let row = 0; row < rows; row++) {
        const exact = data.subarray(row * dimensions, (row + 1) * dimensions);
        const image = project(exact);
        kept.set(image, row * cols);
        const isSampled = (part.start + row) % step === 0 && samples.length < sampledRows;
        if (isSampled) samples.push({ exact: exact.slice(), kept: image });
      }
      await file.append({ data: kept, rows, cols }, options);
    }
    if (!project) return { ...file, rows: file.rows, fingerprint: embedder.fingerprint, truncated };
    const error = distanceError(
      samples.map(({ exact }) => exact),
      samples.map(({ kept }) => kept),
    );
    tell({
      code: 'projected-rows',
      message: `the output head is not linear, and ${items.length} rows of ${dimensions} logits need ${gigabytes(bytes)} GB of disk, more than the ${gigabytes(diskBytes)} allowed: they were projected to ${cols} numbers. Distances of ${error.pairs} sampled pairs are off by ${percent(error.median)} (median), ${percent(error.percentile95)} (95 in 100), ${percent(error.largest)} (most). Raise diskBytes for exact ones.`,
    });
    const fingerprint = `hashed-projection:columns=${cols},seed=${seed}:(${embedder.fingerprint})`;
    return { ...file, rows: file.rows, fingerprint, truncated, distanceError: error };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/** @throws InvalidArgumentError */
export function checkWideRows({ diskBytes = 0, projectedColumns = 4 }: WideRowsOptions): void {
  if (!(diskBytes >= 0)) throw new InvalidArgumentError(`diskBytes must be at least 0, got ${diskBytes}`);
  if (!(Number.isInteger(projectedColumns) && projectedColumns >= 4 && projectedColumns % 4 === 0)) {
    throw new InvalidArgumentError(`projectedColumns must be a multiple of 4, at least 4, got ${projectedColumns}`);
  }
}

/** Better before the texts are embedded than when the disk is full. */
async function checkSpace(folder = tmpdir(), bytes: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: Number.POSITIVE_INFINITY, bsize: 1 }));
  if (bavail * bsize >= bytes) return;
  throw new InputError(
    `rows of logits need ${gigabytes(bytes)} GB in ${folder}, and ${gigabytes(bavail * bsize)} GB are free. Give a folder on another disk, or lower diskBytes to project the rows.`,
  );
}

const gigabytes = (bytes: number) => (bytes / 1e9).toPrecision(2);
const percent = (share: number) => `${(100 * share).toPrecision(2)} %`;
