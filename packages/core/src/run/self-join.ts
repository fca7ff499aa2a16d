import { checkInteger } from '../checks/arguments.js';
import { InvalidArgumentError } from '../errors.js';
import type { CallOptions } from '../spec/events.js';
import type { Matrix } from '../spec/matrix.js';
import type { NeighborIndex, Neighbors } from '../spec/neighbor-index.js';

/**
 * The k nearest other rows of every row of `points`, each row left out by its own position. `index` must be empty.
 * @throws InvalidArgumentError when k is not in [1, rows - 1].
 */
export async function selfJoin(
  index: NeighborIndex,
  points: Matrix,
  options: CallOptions & { readonly k: number },
): Promise<Neighbors> {
  const { k } = options;
  checkInteger('k', k, 1);
  if (k > points.rows - 1) {
    throw new InvalidArgumentError(
      `k = ${k} neighbours need at least ${k + 1} rows and there are ${points.rows}; choose a smaller k`,
    );
  }
  if (index.size > 0)
    throw new InvalidArgumentError(`selfJoin needs an empty index, and this one holds ${index.size} rows`);
  await index.add(points, options);
  if (index.selfJoin) return index.selfJoin(options);
  return index.search(points, { ...options, exclude: Int32Array.from({ length: points.rows }, (_, row) => row) });
}
