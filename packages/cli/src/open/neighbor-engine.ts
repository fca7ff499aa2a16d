import type { MeasuredRecall, Metric, NeighborIndex, Neighbors } from '@rarefy/core';
import type { Faiss } from '@rarefy/neighbors/faiss';
import type { Usearch } from '@rarefy/neighbors/hnsw';
import { checkApplies } from '../shell/check-options.js';
import { choice } from '../shell/define-option.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { withProjectLibrary } from './project-libraries.js';

type RowsAs = 'float32' | 'bfloat16' | 'int8';

interface EngineEntry {
  /** Names of the options that apply to it. */
  readonly takes: readonly 'rows-as'[];
  open(metric: Metric, rowsAs: RowsAs): Promise<NeighborIndex>;
}

/** The engines of `--neighbors`. To add one, add an entry. */
const engines = {
  auto: {
    takes: [],
    open: async (metric) => (await import('@rarefy/neighbors/auto')).autoIndex({ metric }),
  },
  exact: {
    takes: [],
    open: async (metric) => (await import('@rarefy/neighbors/exact')).exactIndex({ metric }),
  },
  'nn-descent': {
    takes: [],
    open: async (metric) => (await import('@rarefy/neighbors/nn-descent')).nnDescentIndex({ metric }),
  },
  hnsw: {
    takes: ['rows-as'],
    async open(metric, dtype) {
      const { hnswIndex } = await import('@rarefy/neighbors/hnsw');
      return withProjectLibrary<Usearch, NeighborIndex>('usearch', (lib) => hnswIndex({ metric, dtype, ...lib }));
    },
  },
  faiss: {
    takes: [],
    async open(metric) {
      const { faissIndex } = await import('@rarefy/neighbors/faiss');
      return withProjectLibrary<Faiss, NeighborIndex>('faiss-node', (lib) => faissIndex({ metric, ...lib }));
    },
  },
} as const satisfies Record<string, EngineEntry>;

export type EngineName = keyof typeof engines;
export const engineNames = Object.keys(engines) as [EngineName];

/** How neighbors are found. */
export const neighborOptions = under('Density', {
  neighbors: choice(
    engineNames,
    'How neighbors are found; auto: exactly up to 50,000 distinct rows, above that with nn-descent. hnsw and faiss need an optional library',
    { default: 'auto' },
  ),
  'rows-as': choice(
    ['float32', 'bfloat16', 'int8'],
    'Number type in which hnsw searches; int8 needs the least memory. Distances are those of the float32 rows',
    { default: 'bfloat16' },
  ),
} as const satisfies OptionDefinitions);

/** @throws InvalidArgumentError if a given option applies to none of the engines. */
export function checkEngineOptions(given: ReadonlySet<string>, ...chosen: readonly EngineName[]): void {
  checkApplies(given, 'neighbor search', engines, chosen);
}

/** One neighbor index that remembers the recall of its graph. */
export interface NeighborEngine {
  readonly name: EngineName;
  readonly index: NeighborIndex;
  /** Recall of the graph after the search; undefined if the search is exact. */
  recall(): MeasuredRecall | undefined;
}

/** Opens the empty index that the options choose; use it for one self-join. */
export async function openNeighborEngine(
  { neighbors: name, rowsAs }: OptionValues<typeof neighborOptions>,
  metric: Metric,
): Promise<NeighborEngine> {
  const index: NeighborIndex = await engines[name].open(metric, rowsAs);
  let recall: MeasuredRecall | undefined;
  const noteRecall = async (search: Promise<Neighbors>) => {
    const found = await search;
    recall = found.recall;
    return found;
  };
  const { selfJoin, joinRows } = index;
  if (selfJoin) index.selfJoin = (options) => noteRecall(selfJoin.call(index, options));
  if (joinRows) index.joinRows = (points, options) => noteRecall(joinRows.call(index, points, options));
  return { name, index, recall: () => recall };
}

/** What a report says about the neighbors, after they were found. */
export function engineDetails({ name, index, recall }: NeighborEngine) {
  const measured = recall();
  return {
    engine: name,
    index: index.fingerprint,
    exact: measured === undefined,
    ...(measured && { recall: measured.value, recallRows: measured.sampledRows }),
  };
}
