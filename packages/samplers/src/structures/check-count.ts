import { InvalidArgumentError } from '@rarefy/core';

/** @throws InvalidArgumentError for a number of draws that is no integer ≥ 0. */
export function checkCount(count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return;
  throw new InvalidArgumentError(`count must be an integer ≥ 0, got ${count}`);
}
