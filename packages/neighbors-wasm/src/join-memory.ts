import type { Metric } from '@rarefy/core';
import { layOut, mostWorkers, sharedMemory } from './shared-memory.js';

/** Sizes of one join. */
export interface JoinShape {
  readonly metric: Metric;
  /** Columns with the padding, a multiple of 8. */
  readonly stride: number;
  /** Neighbors per row. */
  readonly k: number;
  /** Most rows of each of the two segments in the memory; the second is 0 if there is only one. */
  readonly rows: readonly [number, number];
  /** Rows for which there is room for many candidates. A row that finds no room left is compared with all rows. */
  readonly crowded: number;
}

/**
 * Parameters that change between phases. Positions are distinct rows ordered by norm and padded to whole blocks: first those of one
 * segment, then from `split` on those of another.
 */
export interface JoinParameters {
  readonly split: number;
  readonly positions: number;
  /** Whether rows of the second segment get neighbors too. */
  readonly isMutual: boolean;
  /** Power of two that rows are multiplied by. */
  readonly unit: number;
  /** Bound of the error of a product, as a share of the product of the two norms. */
  readonly bound: number;
  /** Largest norm, multiplied by `unit`. */
  readonly largest: number;
  /** Norm of the center, multiplied by `unit`. */
  readonly centerNorm: number;
}

/** The data of a join in one shared memory: the counterpart of `assembly/layout.ts`, which explains it. */
export interface JoinMemory extends JoinShape {
  readonly memory: WebAssembly.Memory;
  readonly addresses: ReturnType<typeof layoutOf>['addresses'];
  readonly blockRows: number;
  readonly parametersAt: number;
  readonly wordsAt: number;
  readonly words: Int32Array;
  readonly x: Float32Array;
  readonly squared: Float64Array;
  readonly hashes: Uint32Array;
  readonly ids: Int32Array;
  readonly centered: Float64Array;
  readonly center: Float64Array;
  /** Row of each position, or -1 for padding. */
  readonly rowAt: Int32Array;
  /** k pairs per position: id and distance as ordered bits, both 0xffffffff if missing. */
  readonly lists: Uint32Array;
  setParameters(parameters: JoinParameters): void;
}

/** Words that workers share, as indices. */
export const joinWords = { bad: 2, residual: 3, scans: 4, pool: 5, locks: 16 } as const;
/** The unit of the word `residual`. A residual's share of its row is at most sqrt(columns) / 65534. */
export const residualUnit = 2 ** -30;

/** Bytes that each worker has for a few values of its own. */
const scratchBytes = 512;
/** Two blocks of int16 rows of this size stay in a core's second-level cache. */
const blockBytes = 2 ** 18;
/** Rows that share a bound in the module. */
const groupRows = 32;
/** As in `assembly/layout.ts`. */
const metricCodes: Readonly<Record<Metric, number>> = { euclidean: 0, cosine: 1, dot: 2 };

function layoutOf({ stride, k, rows, crowded }: JoinShape) {
  const blockRows = Math.min(384, Math.max(groupRows, Math.floor(blockBytes / (2 * stride) / groupRows) * groupRows));
  const cap = k <= 64 ? Math.max(64, 4 * k) : 2 * k + 128;
  const all = rows[0] + rows[1];
  const blocks = Math.ceil(rows[0] / blockRows) + Math.ceil(rows[1] / blockRows);
  const positions = blocks * blockRows;
  const poolCap = Math.max(1024, 4 * cap);
  const own = layOut({ parameters: 256, scratch: scratchBytes * mostWorkers, words: 4 * (joinWords.locks + blocks) });
  /** In the order in which the module reads their addresses. */
  const arrays = {
    x: 4 * stride * all,
    squared: 8 * all,
    hashes: 16 * all,
    ids: 4 * all,
    centered: 8 * all,
    center: 8 * stride,
    rowAt: 4 * positions,
    panels: 2 * stride * positions,
    scales: 4 * positions,
    halves: 4 * positions,
    norms: 4 * positions,
    rests: 4 * positions,
    bounds: 4 * positions,
    thresholds: 4 * positions,
    lengths: 4 * positions,
    kept: 8 * cap * positions,
    lists: 8 * k * positions,
    groupNorms: (4 * positions) / groupRows,
    groupRests: (4 * positions) / groupRows,
    larger: 4 * positions,
    pool: 8 * poolCap * crowded,
  };
  const { addresses, end } = layOut(arrays, own.end);
  return { blockRows, cap, poolCap, all, positions, own: own.addresses, addresses, bytes: end };
}

/** Bytes of memory that a join takes. */
export const joinBytes = (shape: JoinShape): number => layoutOf(shape).bytes;

/** @throws RarefyError if the memory cannot be allocated. */
export function joinMemory(shape: JoinShape): JoinMemory {
  const { blockRows, cap, poolCap, all, positions, own, addresses, bytes } = layoutOf(shape);
  const { metric, stride, k, crowded } = shape;
  const memory = sharedMemory(bytes, 'set memoryBytes lower');
  const { buffer } = memory;
  const setParameters = ({ split, positions, isMutual, unit, bound, largest, centerNorm }: JoinParameters) => {
    const words = new Uint32Array(buffer, own.parameters, 64);
    words.set([own.words, own.scratch, scratchBytes]);
    words.set([metricCodes[metric], stride, k, cap, blockRows, split, positions, isMutual ? 1 : 0], 4);
    new Float64Array(buffer, own.parameters + 48, 4).set([unit, bound, largest, centerNorm]);
    words.set([...Object.values(addresses), poolCap, crowded], 20);
  };
  // Enough for the phases that do not know positions yet.
  setParameters({ split: 0, positions: 0, isMutual: true, unit: 1, bound: 0, largest: 0, centerNorm: 0 });
  return {
    ...shape,
    memory,
    addresses,
    blockRows,
    parametersAt: own.parameters,
    wordsAt: own.words,
    words: new Int32Array(buffer, own.words),
    x: new Float32Array(buffer, addresses.x, stride * all),
    squared: new Float64Array(buffer, addresses.squared, all),
    hashes: new Uint32Array(buffer, addresses.hashes, 4 * all),
    ids: new Int32Array(buffer, addresses.ids, all),
    centered: new Float64Array(buffer, addresses.centered, all),
    center: new Float64Array(buffer, addresses.center, stride),
    rowAt: new Int32Array(buffer, addresses.rowAt, positions),
    lists: new Uint32Array(buffer, addresses.lists, 2 * k * positions),
    setParameters,
  };
}
