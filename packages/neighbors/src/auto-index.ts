import {
  type CallOptions,
  checkOptions,
  InvalidArgumentError,
  type NeighborIndex,
  type Neighbors,
  timeSlices,
} from '@rarefy/core';
import { blockwiseMemoryBytes, checkEngineOptions, type ExactEngineOptions } from './exact/engine.js';
import { exactSearch, joinRows } from './exact/join-rows.js';
import {
  checkSettings,
  descentFingerprint,
  descentGraph,
  descentOptionNames,
  type NnDescentSettings,
} from './graph/nn-descent/descent-graph.js';
import { scanRows } from './graph/scan-rows.js';
import { type RowReader, readerOf, rowsReader } from './rows/row-reader.js';
import { squareRange } from './rows/rows.js';
import { storedIndex } from './rows/stored-index.js';

/** Default of `exactUpTo`. The time of an exact self-join grows with the square of the rows. */
export const mostExactRows = 50_000;

export interface AutoIndexOptions
  extends NnDescentSettings,
    Pick<ExactEngineOptions, 'engine' | 'native' | 'memoryBytes'> {
  /** Number of distinct rows up to which the self-join is exact; default 50,000. Infinity: always. */
  readonly exactUpTo?: number;
}

const optionNames = [
  ...descentOptionNames,
  'engine',
  'native',
  'memoryBytes',
  'exactUpTo',
] satisfies (keyof AutoIndexOptions)[];

/** Rows count as equally long if no length is larger than another by more than this share. */
const lengthSpread = 0.01;

/**
 * The default index for density. Its self-join is exact for up to `exactUpTo` distinct rows, and NN-descent's for more. In that
 * case an event says so and reports the measured recall, which the graph carries too. For `dot`, the self-join is exact for any
 * number of rows unless their lengths differ by less than 1 %, because NN-descent needs that. `search` is always exact. Vectors
 * are copied.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function autoIndex(options: AutoIndexOptions = {}): NeighborIndex {
  checkOptions(options, optionNames, 'autoIndex');
  const { exactUpTo = mostExactRows, ...settings } = options;
  const { metric = 'euclidean', workers, engine, native, memoryBytes } = settings;
  if (!(exactUpTo >= 0)) throw new InvalidArgumentError(`exactUpTo must be a number ≥ 0, got ${exactUpTo}`);
  checkSettings(1, settings);
  checkEngineOptions(metric, { engine, memoryBytes });

  const join = async (
    reader: RowReader,
    call: CallOptions & { readonly k: number },
    bytes: number | undefined,
  ): Promise<Neighbors> => {
    const exactly = () => joinRows(reader, { ...call, metric, workers, engine, native, memoryBytes: bytes });
    if (reader.rows <= exactUpTo) return exactly();
    const scanned = await scanRows(reader, timeSlices(call.signal));
    const { distinct, squares } = scanned;
    if (distinct.length <= exactUpTo) return exactly();
    const report = (message: string) => call.onEvent?.({ type: 'work-message', task: 'self-join', message });
    const { least, most } = squareRange(squares, distinct);
    if (metric === 'dot' && Math.sqrt(most) > (1 + lengthSpread) * Math.sqrt(least)) {
      report(
        `${distinct.length} distinct rows of different lengths are joined exactly by inner product, which takes time; normalize them to length 1 to avoid it`,
      );
      return exactly();
    }
    report(
      `${distinct.length} distinct rows are more than exactUpTo = ${exactUpTo}: their neighbors are approximate, by NN-descent`,
    );
    return descentGraph(reader, scanned, { ...settings, ...call });
  };

  return storedIndex({
    metric,
    fingerprint: `auto-index:metric=${metric},exactUpTo=${exactUpTo},${descentFingerprint(settings)}`,
    exact: exactUpTo === Number.POSITIVE_INFINITY,
    search: exactSearch(metric, { workers, engine, native, memoryBytes }),
    selfJoin: (stored, call) => join(rowsReader(stored, 'vectors'), call, memoryBytes),
    joinRows: (rows, call) => join(readerOf(rows, 'points', call), call, memoryBytes ?? blockwiseMemoryBytes),
  });
}
