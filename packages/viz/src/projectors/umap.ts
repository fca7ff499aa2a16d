import {
  checkInteger,
  checkOptions,
  checkSeed,
  counterRandom,
  InvalidArgumentError,
  type Matrix,
  type Neighbors,
  NotFiniteError,
  type Projector,
  ShapeError,
  selfJoin,
  startProgress,
} from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { UMAP } from 'umap-js';
import { pca } from './pca.js';
import { projectOptions } from './project-options.js';

export interface UmapOptions {
  /** Any safe integer. The same seed and points give the same layout, bit for bit. */
  readonly seed: number;
  /**
   * Neighbors of each row, not counting the row (umap-learn's n_neighbors does). More show the whole, fewer the detail. Default 15.
   */
  readonly neighbors?: number;
  /** Smallest distance between points, in [0, 1], in units of the layout before scaling; default 0.1. */
  readonly minDistance?: number;
  /** Passes over the graph; default 500 up to 2,500 rows, 200 above 7,500, and in between for other sizes. */
  readonly epochs?: number;
  /** Distance between points; default `cosine`. Not used if `project` gets a neighbor graph. */
  readonly metric?: 'cosine' | 'euclidean';
}

const optionNames = ['seed', 'neighbors', 'minDistance', 'epochs', 'metric'] satisfies (keyof UmapOptions)[];

/** Layouts that are yielded, about. */
const rounds = 20;

/**
 * Uniform manifold approximation and projection: neighbors among the points stay neighbors in the layout. Runs umap-js on exact
 * neighbors and starts from the principal components instead of random points, which keeps the large-scale arrangement.
 *
 * Yields about 20 layouts. With few rows it uses fewer neighbors; up to 3 rows give their principal components. `project` throws
 * ShapeError if points or graph are not valid, NotFiniteError if they contain NaN or infinity, and InvalidArgumentError if the
 * graph has too few neighbors or negative distances. Sources: McInnes, Healy and Melville, 2018; Kobak and Linderman,
 * "Initialization is critical", Nature Biotechnology 2021.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function umap(options: UmapOptions): Projector {
  checkOptions(options, optionNames, 'umap');
  const { seed, neighbors: wanted = 15, minDistance = 0.1, epochs, metric = 'cosine' } = options ?? ({} as UmapOptions);
  checkSeed(seed);
  checkInteger('neighbors', wanted, 2);
  if (epochs !== undefined) checkInteger('epochs', epochs, 1);
  if (!(typeof minDistance === 'number' && minDistance >= 0 && minDistance <= 1)) {
    throw new InvalidArgumentError(`minDistance must be a number in [0, 1], got ${JSON.stringify(minDistance)}`);
  }
  if (metric !== 'cosine' && metric !== 'euclidean') {
    throw new InvalidArgumentError(`metric must be cosine or euclidean, got ${String(metric)}`);
  }
  const makeIndex = () => exactIndex({ metric });

  return {
    specificationVersion: 'v1',
    kind: 'projector',
    fingerprint: `umap:seed=${seed},neighbors=${wanted},minDistance=${minDistance},epochs=${epochs ?? 'auto'},${makeIndex().fingerprint}`,
    capabilities: { deterministic: true },
    async *project(points, options) {
      const { signal, onEvent, dimensions, neighbors } = projectOptions(options, 'umap');
      signal?.throwIfAborted();
      const start = await principalComponents(points, dimensions, signal); // checks the points
      const { rows } = points;
      if (rows <= 3) {
        yield start;
        return;
      }
      // umap-js needs more rows than the length of a list, and a list begins with the row itself.
      const k = Math.min(wanted, rows - 2);
      const graph = neighbors ?? (await selfJoin(makeIndex(), points, { k, signal, onEvent }));
      const { ids, distances } = neighborLists(graph, rows, k);

      const random = counterRandom(seed);
      let drawn = 0;
      const fit = new UMAP({
        nComponents: dimensions,
        nNeighbors: k + 1,
        nEpochs: epochs ?? 0, // 0: chosen by the number of rows
        minDist: minDistance,
        random: () => random.uniform(drawn++),
      });
      fit.setPrecomputedKNN(ids, distances);
      const placeholders: number[][] = ids.map(() => []); // with given neighbors, umap-js only counts the points
      const total = fit.initializeFit(placeholders);
      moveTo(fit.getEmbedding(), start);
      const progress = startProgress('umap', total, onEvent);
      const stride = Math.ceil(total / rounds);
      for (let epoch = 1; epoch <= total; epoch++) {
        fit.step();
        await new Promise((resolve) => setImmediate(resolve)); // lets an abort through
        signal?.throwIfAborted();
        if (epoch % stride !== 0 && epoch < total) continue;
        progress.report(epoch);
        if (epoch === total) progress.end();
        yield { data: Float32Array.from(fit.getEmbedding().flat()), rows, cols: dimensions };
      }
    },
  };
}

async function principalComponents(
  points: Matrix,
  dimensions: 2 | 3,
  signal: AbortSignal | undefined,
): Promise<Matrix> {
  for await (const layout of pca().project(points, { dimensions, signal })) return layout;
  throw new Error('pca returned no layout');
}

/**
 * Lists in the form of umap-js: the row itself at distance 0, then its first k neighbors. A missing one becomes the row, which adds
 * no edge.
 */
function neighborLists(graph: Neighbors, rows: number, k: number): { ids: number[][]; distances: number[][] } {
  if (graph.rows !== rows) throw new ShapeError(`the neighbor graph has ${graph.rows} rows for ${rows} points`);
  if (graph.k < k) {
    throw new InvalidArgumentError(`the neighbor graph has ${graph.k} neighbors per row, but neighbors is ${k}`);
  }
  const count = graph.rows * graph.k;
  if (graph.ids?.length !== count || graph.distances?.length !== count) {
    throw new ShapeError(
      `the neighbor graph has ${graph.ids?.length} ids and ${graph.distances?.length} distances, but needs ${rows} rows x ${graph.k} neighbors of each`,
    );
  }
  const ids: number[][] = [];
  const distances: number[][] = [];
  for (let row = 0; row < rows; row++) {
    const rowIds = [row];
    const rowDistances = [0];
    for (let index = row * graph.k; index < row * graph.k + k; index++) {
      const isFound = graph.ids[index]! >= 0;
      if (graph.ids[index]! >= rows) {
        throw new InvalidArgumentError(
          `the neighbor graph has the id ${graph.ids[index]} in row ${row}, but there are ${rows} points; use a graph of the same points`,
        );
      }
      if (isFound && !Number.isFinite(graph.distances[index])) {
        throw new NotFiniteError(`the neighbor graph has the distance ${graph.distances[index]} in row ${row}`);
      }
      if (graph.distances[index]! < -1e-6) {
        throw new InvalidArgumentError(
          `the neighbor graph has the distance ${graph.distances[index]} in row ${row}; use a graph by cosine or euclidean distance`,
        );
      }
      rowIds.push(isFound ? graph.ids[index]! : row);
      rowDistances.push(isFound ? Math.max(0, graph.distances[index]!) : rowDistances.at(-1)!);
    }
    // If all distances are 0, umap-js averages the whole graph for the row; any distance above 0 gives the same edges without that.
    if (rowDistances[k] === 0) rowDistances.fill(1e-12, 1);
    ids.push(rowIds);
    distances.push(rowDistances);
  }
  return { ids, distances };
}

/** Moves the embedding to the start, scaled to [-10, 10]. Keeps 1e-4 of each random point, so that equal rows can separate. */
function moveTo(embedding: number[][], { data, cols }: Matrix): void {
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = largest > 0 ? 10 / largest : 0;
  embedding.forEach((point, row) => {
    for (let axis = 0; axis < cols; axis++) point[axis] = data[row * cols + axis]! * scale + point[axis]! * 1e-4;
  });
}
