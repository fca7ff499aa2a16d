import { RarefyError } from '@rarefy/core';
import { paddedColumns } from '../../distance/canonical-distance.js';
import { layOut, mostMemoryBytes, sharedMemory } from '../../workers/wasm-module.js';

/** Sizes of one search for a graph. */
export interface DescentShape {
  readonly rows: number;
  readonly cols: number;
  /** Entries of a row's list. */
  readonly width: number;
  /** Most candidates of a row, fresh and old separately. */
  readonly candidates: number;
  readonly trees: number;
  readonly workers: number;
}

/** The data of a search in one shared memory, as addresses. Rows are known by their positions, which the first tree decides. */
export interface DescentMemory extends DescentShape {
  readonly memory: WebAssembly.Memory;
  /** Columns of a float32 row in the stage, a multiple of 8. */
  readonly stride: number;
  readonly rowBytes: number;
  /** Words that workers share. */
  readonly words: number;
  readonly rowsAt: number;
  /** Four float32 per row; the first is the scale of its int16 values. */
  readonly facts: number;
  readonly graph: number;
  readonly locks: number;
  readonly fresh: number;
  readonly freshCounts: number;
  readonly old: number;
  readonly oldCounts: number;
  /** The first tree's order of the rows; int32. */
  readonly order: number;
  /** Order and spare room of every other tree. The candidates use the same memory later. */
  readonly forest: number;
  readonly mean: number;
  /** Float32 rows that are about to be quantized. */
  readonly stage: number;
  readonly stageRows: number;
  /** Rows whose neighbors are checked, their limits, and the rows found within the limits. */
  readonly queries: number;
  readonly limits: number;
  readonly hits: number;
  readonly scratch: number;
  readonly scratchBytes: number;
}

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
export function descentMemory(shape: DescentShape): DescentMemory {
  const { rows, cols, width, candidates, trees, workers } = shape;
  const stride = paddedColumns(cols);
  const rowBytes = Math.ceil(cols / 16) * 32;
  const stageRows = Math.max(1, Math.min(rows, Math.floor(stageBytes / (4 * stride))));
  const scratchBytes = 32768 + rowBytes;
  const graph = layOut({
    words: 64,
    rowsAt: rows * rowBytes,
    facts: 16 * rows,
    graph: 8 * rows * width,
    locks: 4 * rows,
    freshCounts: 4 * rows,
    oldCounts: 4 * rows,
    order: 4 * rows,
  });
  const lists = layOut({ fresh: 8 * rows * candidates, old: 8 * rows * candidates }, graph.end);
  const forest = layOut({ forest: 8 * rows * Math.max(1, trees - 1) + 64 }, graph.end);
  const rest = layOut(
    {
      mean: 8 * stride,
      stage: 4 * stride * stageRows,
      queries: 4 * mostQueries,
      limits: 4 * mostQueries,
      hits: 8 * mostHits,
      scratch: scratchBytes * workers,
    },
    Math.max(lists.end, forest.end),
  );
  if (rest.end > mostMemoryBytes) {
    const gib = (rest.end / 2 ** 30).toFixed(1);
    throw new RarefyError(
      `NN-descent on ${rows} distinct rows of ${cols} columns needs ${gib} GiB and can use 4; join parts of the rows, or reduce their columns`,
    );
  }
  const memory = sharedMemory(rest.end, 'use fewer rows, columns or trees');
  const addresses = { ...graph.addresses, ...lists.addresses, ...forest.addresses, ...rest.addresses };
  return { ...shape, ...addresses, memory, stride, rowBytes, stageRows, scratchBytes };
}
