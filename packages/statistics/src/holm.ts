import { InvalidArgumentError } from '@rarefy/core';
import { checkValues } from './numbers.js';

/**
 * Holm's adjusted p values of a family of tests. Rejecting those at most alpha rejects any true null hypothesis of the family with
 * probability at most alpha, whatever the dependence between the tests.
 *
 * The i-th smallest of m p values is multiplied by m - i + 1, is at most 1, and is never below an adjusted smaller one. Equal to
 * `multipletests(method='holm')` of statsmodels. Deterministic.
 *
 * Trap: the family must be fixed before the data are seen. A test that is added or left out afterward changes all others.
 *
 * Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
 * @param pValues of each test
 * @returns adjusted p values in the order of `pValues`
 * @throws InvalidArgumentError if `pValues` is not an array or a value is not in [0, 1]; NotFiniteError if one is NaN or infinite.
 */
export function holm(pValues: ArrayLike<number>): number[] {
  checkValues('pValues', pValues, 0);
  const values = Array.from(pValues);
  const outside = values.findIndex((p) => p < 0 || p > 1);
  if (outside >= 0) {
    throw new InvalidArgumentError(`p value ${values[outside]} at position ${outside} must be in [0, 1]`);
  }
  const ascending = values.map((_, index) => index).sort((first, second) => values[first]! - values[second]!);
  const adjusted = new Array<number>(values.length);
  let largest = 0;
  ascending.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, values[index]! * (values.length - rank)));
    adjusted[index] = largest;
  });
  return adjusted;
}
