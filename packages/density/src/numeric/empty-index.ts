import { described, InvalidArgumentError, type NeighborIndex } from '@rarefy/core';

/** A new index. @throws InvalidArgumentError if `index` is an index itself, and not a function that makes one for each fit. */
export function emptyIndex(index: () => NeighborIndex): NeighborIndex {
  if (typeof index === 'function') return index();
  throw new InvalidArgumentError(
    `index must be a function that makes an empty index, got ${described(index)}; give one, such as () => exactIndex()`,
  );
}
