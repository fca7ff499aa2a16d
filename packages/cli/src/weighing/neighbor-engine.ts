import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  type MeasuredRecall,
  type Metric,
  MissingDependencyError,
  type NeighborIndex,
  type Neighbors,
} from '@rarefy/core';
import type { Faiss } from '@rarefy/neighbors/faiss';
import type { Usearch } from '@rarefy/neighbors/hnsw';
import type { EngineName, RowsAs } from './estimator-options.js';

/** One neighbour index, and what it said of its graph. */
export interface NeighborEngine {
  readonly name: EngineName;
  readonly index: NeighborIndex;
  /** Of the graph; undefined where it is exact. */
  recall(): MeasuredRecall | undefined;
}

/** The empty index that the command line names; good for one self-join. @param rowsAs of hnsw: how it holds the rows */
export async function neighborEngine(name: EngineName, metric: Metric, rowsAs: RowsAs): Promise<NeighborEngine> {
  const index = await openIndex(name, metric, rowsAs);
  let recall: MeasuredRecall | undefined;
  const noted = async (join: Promise<Neighbors>) => {
    const found = await join;
    recall = found.recall;
    return found;
  };
  const { selfJoin, joinRows } = index;
  if (selfJoin) index.selfJoin = (options) => noted(selfJoin.call(index, options));
  if (joinRows) index.joinRows = (points, options) => noted(joinRows.call(index, points, options));
  return { name, index, recall: () => recall };
}

async function openIndex(name: EngineName, metric: Metric, rowsAs: RowsAs): Promise<NeighborIndex> {
  switch (name) {
    case 'hnsw': {
      const { hnswIndex } = await import('@rarefy/neighbors/hnsw');
      return withLibrary<Usearch>('usearch', (lib) => hnswIndex({ metric, dtype: rowsAs, ...lib }));
    }
    case 'faiss': {
      const { faissIndex } = await import('@rarefy/neighbors/faiss');
      return withLibrary<Faiss>('faiss-node', (lib) => faissIndex({ metric, ...lib }));
    }
    case 'nn-descent': {
      const { nnDescentIndex } = await import('@rarefy/neighbors/nn-descent');
      return nnDescentIndex({ metric });
    }
    case 'auto': {
      const { autoIndex } = await import('@rarefy/neighbors/auto');
      return autoIndex({ metric });
    }
    case 'exact': {
      const { exactIndex } = await import('@rarefy/neighbors/exact');
      return exactIndex({ metric });
    }
  }
}

/** Looks for a library where Rarefy is, then in the project of the current folder and in NODE_PATH. */
async function withLibrary<Library>(
  name: string,
  open: (options: { readonly lib?: Library }) => Promise<NeighborIndex>,
): Promise<NeighborIndex> {
  try {
    return await open({});
  } catch (error) {
    if (!MissingDependencyError.isInstance(error)) throw error;
    let lib: Library;
    try {
      lib = createRequire(join(process.cwd(), 'here.js'))(name) as Library;
    } catch {
      throw error;
    }
    return open({ lib });
  }
}

/** What a report tells of the neighbours, after they were found. */
export function engineDetails({ name, index, recall }: NeighborEngine) {
  const measured = recall();
  return {
    engine: name,
    index: index.fingerprint,
    exact: measured === undefined,
    ...(measured && { recall: measured.value, recallRows: measured.sampledRows }),
  };
}
