import { callOptionNames, checkOptions } from '../check-options.js';
import { checkInteger, checkShape } from '../checks.js';
import { InvalidArgumentError } from '../errors.js';
import type { CallOptions } from '../spec/component.js';
import type { Matrix } from '../spec/matrix.js';
import type { NeighborIndex, Neighbors } from '../spec/neighbor-index.js';

/**
 * The k nearest other rows of every row of `points`. A row is never its own neighbor; an equal row can be.
 * @param index must be empty; holds `points` afterwards
 * @throws InvalidArgumentError if an option is unknown, if k is not an integer in [1, rows - 1], if `index` is not empty, or if
 * `points` is not a matrix; ShapeError if its sizes do not agree.
 */
export async function selfJoin(
  index: NeighborIndex,
  points: Matrix,
  options: CallOptions & { readonly k: number },
): Promise<Neighbors> {
  checkOptions(options, ['k', ...callOptionNames], 'selfJoin');
  const { k, ...call } = options;
  checkInteger('k', k, 1);
  checkShape(points, 'points');
  if (k > points.rows - 1) {
    throw new InvalidArgumentError(
      `k = ${k} neighbors need at least ${k + 1} rows, got ${points.rows}; choose a smaller k`,
    );
  }
  if (index.size > 0) throw new InvalidArgumentError(`selfJoin needs an empty index, got one with ${index.size} rows`);
  await index.add(points, call);
  if (index.selfJoin) return index.selfJoin(options);
  return index.search(points, { ...options, exclude: Int32Array.from({ length: points.rows }, (_, row) => row) });
}
