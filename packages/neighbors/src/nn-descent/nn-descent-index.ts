import { type Matrix, type NeighborIndex, RarefyError, ShapeError } from '@rarefy/core';
import { exactIndex } from '../exact/exact-index.js';
import { checkShape, firstNotFinite } from '../exact/rows.js';
import { checkSettings, type NnDescentSettings, nnDescent } from './nn-descent.js';

export type NnDescentIndexOptions = NnDescentSettings;

/**
 * An index whose self-join is {@link nnDescent}: approximate, with its measured recall. `search` of other rows compares them with all,
 * exactly. Vectors are copied, once more at the first search after an `add`.
 * @throws InvalidArgumentError for options out of range.
 */
export function nnDescentIndex(settings: NnDescentIndexOptions = {}): NeighborIndex {
  checkSettings(1, settings);
  const { metric = 'euclidean', seed = 0, trees = 8, width, candidates, rounds = 30 } = settings;
  let points: Matrix = { data: new Float32Array(0), rows: 0, cols: 0 };
  let space = points.data;
  let exact: { readonly of: Matrix; readonly index: Promise<NeighborIndex> } | undefined;
  let disposed = false;
  const checkAlive = () => {
    if (disposed) throw new RarefyError('this index was disposed; make a new one');
  };
  /** An exact index of these rows, made once. */
  const exactOf = (rows: Matrix): Promise<NeighborIndex> => {
    if (exact?.of !== rows) {
      const make = async () => {
        const index = exactIndex({ metric });
        await index.add(rows);
        return index;
      };
      exact = { of: rows, index: make() };
    }
    return exact.index;
  };
  return {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint: `nn-descent-index:metric=${metric},seed=${seed},trees=${trees},width=${width ?? 'auto'},candidates=${candidates ?? 'auto'},rounds=${rounds}`,
    capabilities: { exact: false, incremental: true },
    metric,
    get size() {
      return points.rows;
    },
    async add(vectors, { signal } = {}) {
      signal?.throwIfAborted();
      checkAlive();
      checkVectors(vectors, points);
      if (vectors.rows === 0) return;
      const used = points.data.length;
      const length = used + vectors.data.length;
      if (space.length < length) {
        const longer = new Float32Array(used === 0 ? length : Math.max(length, 2 * used));
        longer.set(points.data);
        space = longer;
      }
      space.set(vectors.data, used);
      points = { data: space.subarray(0, length), rows: points.rows + vectors.rows, cols: vectors.cols };
    },
    async search(queries, options) {
      options.signal?.throwIfAborted();
      checkAlive();
      return (await exactOf(points)).search(queries, options);
    },
    async selfJoin(options) {
      options.signal?.throwIfAborted();
      checkAlive();
      return nnDescent(points, { ...settings, ...options });
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      points = { data: new Float32Array(0), rows: 0, cols: 0 };
      space = points.data;
      exact = undefined;
    },
  };
}

function checkVectors(vectors: Matrix, earlier: Matrix): void {
  checkShape(vectors, 'vectors');
  const { data, rows, cols } = vectors;
  if (earlier.rows > 0 && rows > 0 && cols !== earlier.cols) {
    throw new ShapeError(
      `vectors have ${cols} columns and the index holds rows of ${earlier.cols}; give the same columns`,
    );
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw firstNotFinite(data.subarray(bad - (bad % cols)), Math.floor(bad / cols), 'vectors');
}
