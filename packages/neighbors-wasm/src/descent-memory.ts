import { RarefyError } from '@rarefy/core';
import { layOut, mostMemoryBytes, sharedMemory } from './shared-memory.js';

/** Sizes of one search for a graph. */
interface DescentShape {
  readonly rows: number;
  readonly cols: number;
  /** Columns of a float32 row with the padding, a multiple of 8. */
  readonly stride: number;
  /** Entries of a row's list. */
  readonly width: number;
  /** Most candidates of a row, fresh and old separately. */
  readonly candidates: number;
  readonly trees: number;
  readonly workers: number;
  readonly seed: number;
}

/**
 * The data of a search in one shared memory, as addresses; `assembly/nn-descent.ts` explains them. Rows are known by their
 * positions, which the first tree decides.
 */
export type DescentMemory = ReturnType<typeof descentMemory>;

/** Words that workers share, as indices. */
export const descentWords = { fresh: 2, hits: 3 } as const;
export const mostQueries = 2 ** 14;
export const mostHits = 2 ** 18;

/**
 * How much rounding to int16 changes a value (half a squared distance), at most, per product of the two scales. A row is at most
 * 46,000 of its scales long, and rounding changes it by at most half a scale per column.
 */
export function roundingOf(cols: number): number {
  const moved = 0.5001 * Math.sqrt(cols);
  return 1.0001 * (2 * 46001 * moved + moved * moved);
}

const stageBytes = 2 ** 21;

/**
 * Allocates the memory: per row, 2 bytes per column (rounded up to 16 columns) and about 30 + 8 width + 16 candidates bytes.
 * @throws RarefyError if it exceeds what a wasm memory can have, or cannot be allocated.
 */
export function descentMemory(shape: DescentShape) {
  const { rows, cols, stride, width, candidates, trees, workers, seed } = shape;
  const rowBytes = Math.ceil(cols / 16) * 32;
  const stageRows = Math.max(1, Math.min(rows, Math.floor(stageBytes / (4 * stride))));
  const scratchBytes = 32768 + rowBytes;
  const own = layOut({ parameters: 128, words: 64, scratch: scratchBytes * workers });
  const graph = {
    rowsAt: rows * rowBytes,
    facts: 16 * rows,
    graph: 8 * rows * width,
    locks: 4 * rows,
    freshCounts: 4 * rows,
    oldCounts: 4 * rows,
    order: 4 * rows,
  };
  const graphLayout = layOut(graph, own.end);
  // The forest and the candidates use the same memory, one after the other.
  const lists = layOut({ fresh: 8 * rows * candidates, old: 8 * rows * candidates }, graphLayout.end);
  const forest = layOut({ forest: 8 * rows * Math.max(1, trees - 1) + 64 }, graphLayout.end);
  const check = { queries: 4 * mostQueries, limits: 4 * mostQueries, hits: 8 * mostHits };
  const checkLayout = layOut(check, Math.max(lists.end, forest.end));
  // Float32 rows that are about to be quantized, and what is subtracted from them.
  const stage = layOut({ mean: 8 * stride, stage: 4 * stride * stageRows }, checkLayout.end);
  if (stage.end > mostMemoryBytes) {
    const gib = (stage.end / 2 ** 30).toFixed(1);
    throw new RarefyError(
      `NN-descent on ${rows} distinct rows of ${cols} columns needs ${gib} GiB and can use 4; join parts of the rows, or reduce their columns`,
    );
  }
  const memory = sharedMemory(stage.end, 'use fewer rows, columns or trees');
  // In the order in which the module reads them.
  const addresses = { ...graphLayout.addresses, ...lists.addresses, ...forest.addresses, ...checkLayout.addresses };
  const { parameters: parametersAt, words: wordsAt, scratch } = own.addresses;
  const numbers = [wordsAt, scratch, scratchBytes, rows, rowBytes, width, candidates, mostHits];
  const seedWords = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
  new Uint32Array(memory.buffer, parametersAt).set([...numbers, ...seedWords, ...Object.values(addresses)]);
  return { ...shape, ...addresses, ...stage.addresses, memory, parametersAt, wordsAt, rowBytes, stageRows };
}
