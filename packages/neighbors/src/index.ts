/**
 * Nearest neighbors, for density: what needs no other library. The libraries have entries of their own: `@rarefy/neighbors/hnsw`
 * (usearch), `/faiss` (faiss-node) and `/tfjs` (a GPU).
 *
 * - An index finds the k nearest rows of queries, and the k nearest other rows of each of its own rows (the self-join, which
 *   density needs). {@link autoIndex} is the default: exact up to 50,000 distinct rows, and approximate beyond.
 *   {@link exactIndex} always returns the true neighbors, {@link nnDescentIndex} nearly always. {@link exactNeighbors} and
 *   {@link nnDescent} are the same self-joins as functions, also for rows that do not fit in memory.
 * - Distance is defined once: float64 sums in a fixed order, rounded to float32, ordered by (distance, id). Every index returns
 *   exactly that, whatever engine finds the candidates.
 * - An approximate graph comes with its recall; {@link measureRecall} measures that of any graph.
 * - Equal rows are neighbors of each other at distance 0 and are computed once; {@link groupEqualRows} finds them.
 */
export { type AutoIndexOptions, autoIndex } from './auto-index.js';
export {
  type ExactEngine,
  type ExactEngineOptions,
  type ExactIndexOptions,
  type ExactNeighbors,
  type ExactNeighborsOptions,
  exactIndex,
  exactNeighbors,
  type NativeNeighbors,
} from './exact/exact.js';
export {
  type ApproximateNeighbors,
  type NnDescentIndexOptions,
  type NnDescentOptions,
  nnDescent,
  nnDescentIndex,
} from './graph/nn-descent/nn-descent.js';
export { type MeasureRecallOptions, measureRecall } from './recall/measure-recall.js';
export { type EqualRows, groupEqualRows, type RowGroups } from './rows/equal-rows.js';
