import { RarefyError } from '@rarefy/core';
import { taskWords } from '../kernels/serve-phases.js';

/** What the search for a graph needs to know about its rows. */
export interface DescentShape {
  readonly rows: number;
  readonly cols: number;
  /** Entries of a row's list. */
  readonly width: number;
  /** Candidates of a row, fresh and old apart. */
  readonly candidates: number;
  readonly trees: number;
  readonly workers: number;
}

/** Addresses of everything in the shared memory. */
export interface DescentMemory extends DescentShape {
  readonly memory: WebAssembly.Memory;
  /** Columns of a float32 row in the stage, a multiple of 8. */
  readonly stride: number;
  readonly rowBytes: number;
  readonly control: number;
  readonly rowsAt: number;
  readonly facts: number;
  readonly graph: number;
  readonly locks: number;
  readonly fresh: number;
  readonly freshCounts: number;
  readonly old: number;
  readonly oldCounts: number;
  /** The first tree's order of the rows; int32. */
  readonly order: number;
  /** Room for the order and the spare half of every tree, where the candidates lie later. */
  readonly forest: number;
  readonly mean: number;
  /** Float32 rows on their way in, with their hashes and squares. */
  readonly stage: number;
  readonly stageRows: number;
  readonly hashes: number;
  readonly squares: number;
  /** Rows whose neighbours are checked, their limits, and what lies within. */
  readonly queries: number;
  readonly limits: number;
  readonly hits: number;
  readonly scratch: number;
  readonly scratchBytes: number;
}

/** Words that workers share, at `control`. */
export const control = { ...taskWords, fresh: 2, hits: 3 } as const;
export const mostQueries = 2 ** 14;
export const mostHits = 2 ** 18;
/**
 * How far int16 rounding moves a value, half a squared distance: at most this times the two scales. A row is at most 46,000 of its scales
 * long, and rounding moves it by at most half a scale a column.
 */
export function roundingOf(cols: number): number {
  const moved = 0.5001 * Math.sqrt(cols);
  return 1.0001 * (2 * 46001 * moved + moved * moved);
}

const stageBytes = 2 ** 21;
const most = 2 ** 32 - 2 ** 16;

/**
 * Shared memory for a descent: 2 bytes a column rounded up to 16, and about 30 + 8 width + 16 candidates bytes a row.
 * @throws RarefyError when it would exceed what a wasm memory can have, or there is not as much.
 */
export function descentMemory(shape: DescentShape): DescentMemory {
  const { rows, cols, width, candidates, trees, workers } = shape;
  const stride = Math.ceil(cols / 8) * 8;
  const rowBytes = Math.ceil(cols / 16) * 32;
  const stageRows = Math.max(1, Math.min(rows, Math.floor(stageBytes / (4 * stride))));
  let end = 65536; // below lies what the compiler keeps for itself
  const take = (bytes: number) => {
    const start = end;
    end += Math.ceil(bytes / 64) * 64;
    return start;
  };
  const place = {
    control: take(64),
    rowsAt: take(rows * rowBytes),
    facts: take(16 * rows),
    graph: take(8 * rows * width),
    locks: take(4 * rows),
    freshCounts: take(4 * rows),
    oldCounts: take(4 * rows),
    order: take(4 * rows),
    forest: end,
    fresh: take(8 * rows * candidates),
    old: take(8 * rows * candidates),
  };
  end = Math.max(end, place.forest + 8 * rows * Math.max(1, trees - 1) + 64);
  const scratchBytes = 32768 + rowBytes;
  const rest = {
    mean: take(8 * stride),
    stage: take(4 * stride * stageRows),
    hashes: take(16 * stageRows),
    squares: take(8 * stageRows),
    queries: take(4 * mostQueries),
    limits: take(4 * mostQueries),
    hits: take(8 * mostHits),
    scratch: take(scratchBytes * workers),
  };
  if (end > most) {
    throw new RarefyError(
      `NN-descent on ${rows} different rows of ${cols} columns needs ${(end / 2 ** 30).toFixed(1)} GiB and can use 4; join parts of the rows, or reduce their columns`,
    );
  }
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: Math.ceil(end / 65536), maximum: 65536, shared: true });
  } catch (cause) {
    throw new RarefyError(`there is no memory for NN-descent on ${rows} rows: ${Math.ceil(end / 2 ** 20)} MiB`, {
      cause,
    });
  }
  return { ...shape, ...place, ...rest, memory, stride, rowBytes, stageRows, scratchBytes };
}
