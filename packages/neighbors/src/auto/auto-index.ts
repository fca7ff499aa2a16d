import {
  type CallOptions,
  InvalidArgumentError,
  type Matrix,
  type NeighborIndex,
  type Neighbors,
  type RowSource,
} from '@rarefy/core';
import type { ExactEngineOptions } from '../exact/engine.js';
import { rowsIndex } from '../exact/exact-index.js';
import { joinReader } from '../exact/exact-neighbors.js';
import { type RowReader, readerOf, rowsReader } from '../exact/join/row-reader.js';
import type { Rows } from '../exact/rows.js';
import { timeSlices } from '../exact/time-slices.js';
import { checkSettings, descentGraph, type NnDescentSettings } from '../nn-descent/nn-descent.js';
import { descentFingerprint } from '../nn-descent/nn-descent-index.js';
import { scanRows } from '../nn-descent/scan-rows.js';

/** Different rows up to which a self-join is exact by default: its time grows with their square. */
export const mostExactRows = 50_000;

export interface AutoIndexOptions
  extends NnDescentSettings,
    Pick<ExactEngineOptions, 'engine' | 'native' | 'memoryBytes'> {
  /** Different rows up to which the self-join is exact; default 50,000. Infinity: always. */
  readonly exactUpTo?: number;
}

/** Rows whose lengths differ by more than this share are joined exactly by inner product, which NN-descent cannot follow there. */
const lengthSpread = 0.01;
/** Shared memory for rows that are read in blocks. */
const blockwiseBytes = 2 ** 28;

/**
 * The index that density is measured with by default: its self-join is exact for up to `exactUpTo` different rows, and NN-descent's
 * for more. The run says so by an event, with the measured recall, which the graph carries too. By `dot` it is exact for any number of
 * rows unless they are equally long, but for 1 %. `search` is always exact. Vectors are copied.
 * @throws InvalidArgumentError for options out of range.
 */
export function autoIndex({ exactUpTo = mostExactRows, ...settings }: AutoIndexOptions = {}): NeighborIndex {
  const { metric = 'euclidean', workers, engine, native, memoryBytes } = settings;
  if (!(exactUpTo >= 0)) throw new InvalidArgumentError(`exactUpTo must be a number ≥ 0, got ${exactUpTo}`);
  checkSettings(1, settings);

  const join = async (
    points: Matrix | RowSource | Rows,
    reader: RowReader,
    call: CallOptions & { readonly k: number },
    bytes: number | undefined,
  ): Promise<Neighbors> => {
    const exactly = () =>
      joinReader(reader, { ...call, metric, workers, engine, native, memoryBytes: bytes }, 'data' in points);
    if (reader.rows <= exactUpTo) return exactly();
    const scanned = await scanRows(reader, timeSlices(call.signal), call.signal);
    const { distinct, squares } = scanned;
    const task = 'self-join';
    if (distinct.length <= exactUpTo) return exactly();
    const rows = `${distinct.length} different rows`;
    if (metric === 'dot' && !areEquallyLong(distinct, squares)) {
      const message = `${rows} of different lengths are joined exactly by inner product, which takes time; divide them by their lengths`;
      call.onEvent?.({ type: 'work-message', task, message });
      return exactly();
    }
    const message = `${rows} are more than exactUpTo = ${exactUpTo}: their neighbours are approximate, by NN-descent`;
    call.onEvent?.({ type: 'work-message', task, message });
    return descentGraph(points, reader, scanned, { ...settings, ...call });
  };

  return rowsIndex({
    metric,
    engine: { workers, engine, native, memoryBytes },
    fingerprint: `auto-index:metric=${metric},exactUpTo=${exactUpTo},${descentFingerprint(settings)}`,
    exact: exactUpTo === Number.POSITIVE_INFINITY,
    join: (points, call) => join(points, rowsReader(points, 'vectors'), call, memoryBytes),
    joinSource: (rows, call) => join(rows, readerOf(rows, 'points', call), call, memoryBytes ?? blockwiseBytes),
  });
}

function areEquallyLong(distinct: Int32Array, squares: Float64Array): boolean {
  let shortest = Number.POSITIVE_INFINITY;
  let longest = 0;
  for (const row of distinct) {
    shortest = Math.min(shortest, squares[row]!);
    longest = Math.max(longest, squares[row]!);
  }
  return Math.sqrt(longest) <= (1 + lengthSpread) * Math.sqrt(shortest);
}
