import { checkInteger, checkOptions, type Metric, type NeighborIndex, RarefyError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import type { CandidateEngine } from '../candidates/candidate-engine.js';
import { candidateIndex } from '../candidates/candidate-index.js';

export interface TfjsIndexOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** Most rows of one matrix product; default 16,384. */
  readonly blockRows?: number;
}

/** Backends that compute products in float32. A GPU may round numbers to 16 or 10 bits before it multiplies. */
const float32Backends = ['cpu', 'wasm'];

/**
 * An index that compares all rows with every query by matMul and topk, on the tfjs backend that is active when the index is
 * created. The same backend must be active at each search. It is meant for GPUs; on a CPU, `exactIndex` is faster. Candidates are
 * ranked by the canonical distance.
 *
 * On `cpu`, `wasm` and tfjs-node without a GPU the result is exact: more candidates are requested until float32 rounding cannot
 * hide a neighbor. On any other backend (webgl, webgpu, tfjs-node with a GPU) the precision of a product is not known, so
 * `capabilities.exact` is false and a self-join comes with its measured recall. The index holds the rows as float32 tensors, which
 * are freed when it is disposed; no other tensor stays.
 * @throws InvalidArgumentError if an option is unknown or out of range; RarefyError if there is no backend.
 */
export async function tfjsIndex(options: TfjsIndexOptions = {}): Promise<NeighborIndex> {
  checkOptions(options, ['metric', 'blockRows'] satisfies (keyof TfjsIndexOptions)[], 'tfjsIndex');
  const { metric = 'euclidean', blockRows = 16_384 } = options;
  checkInteger('blockRows', blockRows, 1);
  await tf.ready();
  const backend = tf.getBackend();
  if (!backend) {
    throw new RarefyError('tfjs has no backend; import one, such as @tensorflow/tfjs-backend-wasm, and set it');
  }
  const onGpu = (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;
  const exact = float32Backends.includes(backend) || (backend === 'tensorflow' && !onGpu);
  const checkBackend = () => {
    if (tf.getBackend() === backend) return;
    throw new RarefyError(
      `this index was created on the tfjs backend ${backend}, but ${tf.getBackend()} is active; call tf.setBackend('${backend}')`,
    );
  };
  return candidateIndex({
    metric,
    fingerprint: `tfjs-index:metric=${metric},${exact ? 'exact' : `backend=${backend}`}`,
    name: 'tfjs',
    exact,
    createEngine: (cols) => tfjsEngine(cols, metric, blockRows, checkBackend),
  });
}

/** A block of stored rows. */
interface Block {
  readonly start: number;
  /** [cols, rows], which multiplies faster on wasm than [rows, cols]. */
  readonly columns: tf.Tensor2D;
  /** Half of each squared length. */
  readonly halves: tf.Tensor1D;
}

function tfjsEngine(cols: number, metric: Metric, blockRows: number, checkBackend: () => void): CandidateEngine {
  const blocks: Block[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    rowsPerAdd: blockRows,
    add(points, end) {
      checkBackend();
      const halves = Float32Array.from({ length: end - size }, (_, at) => points.norm(size + at) ** 2 / 2);
      const columns = tf.tidy(() => tf.transpose(tf.tensor2d(points.slice(size, end), [end - size, cols])));
      blocks.push({ start: size, columns, halves: tf.tensor1d(halves) });
      size = end;
    },
    async find(queries, count, most) {
      checkBackend();
      // Nearest first by q · p - |p|² / 2, which orders as |q - p| does, or by q · p. Each block has its own best rows.
      const found = tf.tidy(() => {
        const left = tf.tensor2d(queries, [count, cols]);
        return blocks.map(({ columns, halves }) => {
          const products = tf.matMul(left, columns);
          const scores = metric === 'euclidean' ? tf.sub(products, halves) : products;
          return tf.topk(scores, Math.min(most, columns.shape[1]), true);
        });
      });
      try {
        const parts = await Promise.all(
          found.map(async ({ values, indices }, block) => ({
            start: blocks[block]!.start,
            width: values.shape[1]!,
            scores: await values.data(),
            indices: await indices.data(),
          })),
        );
        return merged(parts, queries, cols, count, most, metric);
      } finally {
        for (const { values, indices } of found) tf.dispose([values, indices]);
      }
    },
    dispose() {
      for (const { columns, halves } of blocks) tf.dispose([columns, halves]);
      blocks.length = 0;
    },
  };
}

interface Part {
  readonly start: number;
  readonly width: number;
  readonly scores: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
}

/** The best rows of all blocks, by score. Values as in `Candidates`. */
function merged(
  parts: readonly Part[],
  queries: Float32Array,
  cols: number,
  count: number,
  most: number,
  metric: Metric,
) {
  const ids = new Int32Array(count * most).fill(-1);
  const values = new Float64Array(count * most).fill(Number.NaN);
  const next = new Int32Array(parts.length);
  for (let query = 0; query < count; query++) {
    let squares = 0;
    if (metric === 'euclidean') for (let c = query * cols; c < (query + 1) * cols; c++) squares += queries[c]! ** 2;
    next.fill(0);
    for (let rank = 0; rank < most; rank++) {
      let best = -1;
      let bestScore = Number.NEGATIVE_INFINITY;
      parts.forEach(({ width, scores }, at) => {
        const score = next[at]! < width ? scores[query * width + next[at]!]! : Number.NEGATIVE_INFINITY;
        if (score > bestScore) {
          best = at;
          bestScore = score;
        }
      });
      if (best < 0) break;
      const { start, width, indices } = parts[best]!;
      ids[query * most + rank] = start + indices[query * width + next[best]!]!;
      values[query * most + rank] = metric === 'euclidean' ? squares - 2 * bestScore : -bestScore;
      next[best]!++;
    }
  }
  return { ids, values };
}
