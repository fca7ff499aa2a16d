import { type Metric, RarefyError } from '@rarefy/core';

/** Sizes of one join. */
export interface JoinShape {
  readonly metric: Metric;
  /** Columns with zeros, a multiple of 8. */
  readonly stride: number;
  /** Neighbours a row. */
  readonly k: number;
  /** Most rows of each of the two segments; the second is 0 when there is one. */
  readonly rows: readonly [number, number];
  /** Rows that may have many candidates; what has no room for them is compared with all rows. */
  readonly crowded: number;
}

/**
 * What changes from phase to phase. Positions are rows by norm, filled up to whole blocks: those of one segment, then from `split` on
 * those of another.
 */
export interface JoinParameters {
  split: number;
  positions: number;
  /** Whether rows of the second segment get neighbours too. */
  isMutual: boolean;
  /** Power of two that rows are multiplied by. */
  unit: number;
  /** Error of a product as a share of the two norms. */
  bound: number;
  /** Largest norm, multiplied by `unit`. */
  largest: number;
  /** Norm of the centre, multiplied by `unit`. */
  centreNorm: number;
}

/** Where all of a join lies in one shared memory: the host's side of `assembly/layout.ts`. */
export interface JoinMemory extends JoinShape {
  readonly memory: WebAssembly.Memory;
  /** Addresses of the kernel's arrays, by name. */
  readonly places: Readonly<Record<string, number>>;
  readonly blockRows: number;
  readonly parametersAt: number;
  /** Words that workers share, then one lock a block. */
  readonly controlAt: number;
  readonly scratchAt: number;
  readonly x: Float32Array;
  readonly squared: Float64Array;
  readonly hashes: Uint32Array;
  readonly ids: Int32Array;
  readonly centred: Float64Array;
  readonly centre: Float64Array;
  readonly rowAt: Int32Array;
  /** k pairs a position of an id and a distance in the order of integers, both 0xffffffff where there is none. */
  readonly lists: Uint32Array;
  setParameters(parameters: JoinParameters): void;
}

/** Most workers: each has a place to keep a few values. */
export const mostWorkers = 256;
export const scratchBytes = 512;
/** Control words before the locks of the blocks, and the one that counts the places taken by rows with many candidates. */
export const controlWords = 16;
export const poolWord = 5;
const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];
const pageBytes = 65536;
/** Two blocks of int16 rows of this many bytes stay in a core's second-level cache. */
const blockBytes = 2 ** 18;
const groupRows = 32;

function layoutOf({ stride, k, rows, crowded }: JoinShape) {
  const blockRows = Math.min(384, Math.max(groupRows, Math.floor(blockBytes / (2 * stride) / groupRows) * groupRows));
  const cap = k <= 64 ? Math.max(64, 4 * k) : 2 * k + 128;
  const all = rows[0] + rows[1];
  const blocks = Math.ceil(rows[0] / blockRows) + Math.ceil(rows[1] / blockRows);
  const positions = blocks * blockRows;
  const poolCap = Math.max(1024, 4 * cap);
  const own = { parameters: 256, scratch: scratchBytes * mostWorkers, control: 4 * (controlWords + blocks) };
  /** In the order in which the kernel reads their addresses. */
  const arrays = {
    x: 4 * stride * all,
    squared: 8 * all,
    hashes: 8 * all,
    ids: 4 * all,
    centred: 8 * all,
    centre: 8 * stride,
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
  let bytes = pageBytes;
  const place = <Name extends string>(sizes: Readonly<Record<Name, number>>) => {
    const places = {} as Record<Name, number>;
    for (const name of Object.keys(sizes) as Name[]) {
      places[name] = bytes;
      bytes += Math.ceil(sizes[name] / 64) * 64;
    }
    return places;
  };
  const places = { ...place(own), ...place(arrays) };
  const addresses = (Object.keys(arrays) as (keyof typeof arrays)[]).map((name) => places[name]);
  return { blockRows, cap, poolCap, all, positions, places, addresses, bytes };
}

/** Bytes of memory that a join takes. */
export const joinBytes = (shape: JoinShape): number => layoutOf(shape).bytes;

/** @throws RarefyError when so much shared memory is not to be had. */
export function joinMemory(shape: JoinShape): JoinMemory {
  const { blockRows, cap, poolCap, all, positions, places, addresses, bytes } = layoutOf(shape);
  const { metric, stride, k } = shape;
  const pages = Math.ceil(bytes / pageBytes);
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    const size = Math.ceil(bytes / 2 ** 20);
    throw new RarefyError(`${size} MiB of shared memory for neighbours are not to be had; set memoryBytes lower`, {
      cause,
    });
  }
  const { buffer } = memory;
  return {
    ...shape,
    memory,
    places,
    blockRows,
    parametersAt: places.parameters,
    controlAt: places.control,
    scratchAt: places.scratch,
    x: new Float32Array(buffer, places.x, stride * all),
    squared: new Float64Array(buffer, places.squared, all),
    hashes: new Uint32Array(buffer, places.hashes, 2 * all),
    ids: new Int32Array(buffer, places.ids, all),
    centred: new Float64Array(buffer, places.centred, all),
    centre: new Float64Array(buffer, places.centre, stride),
    rowAt: new Int32Array(buffer, places.rowAt, positions),
    lists: new Uint32Array(buffer, places.lists, 2 * k * positions),
    setParameters(parameters) {
      const words = new Uint32Array(buffer, places.parameters, 64);
      const { split, isMutual, unit, bound, largest, centreNorm } = parameters;
      words.set([metrics.indexOf(metric), stride, k, cap, blockRows, split, parameters.positions, isMutual ? 1 : 0]);
      new Float64Array(buffer, places.parameters + 32, 4).set([unit, bound, largest, centreNorm]);
      words.set(addresses, 16);
      words.set([poolCap, shape.crowded, places.control + 4 * poolWord], 40);
    },
  };
}
