import { InvalidWeightsError } from '@rarefy/core';

/** @throws InvalidWeightsError when weights sum to nothing. */
export function checkTotal(total: number, size: number): void {
  if (total > 0) return;
  throw new InvalidWeightsError(
    `all ${size} weights are zero; nothing could be drawn: give at least one weight above 0`,
  );
}

/** @throws InvalidWeightsError when `possible` of `size` weights are above 0 and more draws without replacement are wanted. */
export function checkEnough(count: number, possible: number, size: number): void {
  if (count <= possible) return;
  throw new InvalidWeightsError(
    `${count} draws without replacement need ${count} weights above 0, and ${possible} of ${size} are; draw fewer`,
  );
}
