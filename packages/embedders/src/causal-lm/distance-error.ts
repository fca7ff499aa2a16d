import type { DistanceError } from '@rarefy/core';

/** Relative errors of the distances between all pairs of `kept` rows, against the same pairs of `true` rows. Equal rows do not count. */
export function distanceError(exact: readonly Float32Array[], kept: readonly Float32Array[]): DistanceError {
  const errors: number[] = [];
  for (let i = 0; i < exact.length; i++) {
    for (let j = 0; j < i; j++) {
      const distance = euclidean(exact[i]!, exact[j]!);
      if (distance > 0) errors.push(Math.abs(euclidean(kept[i]!, kept[j]!) / distance - 1));
    }
  }
  errors.sort((a, b) => a - b);
  const at = (share: number) => errors[Math.min(errors.length - 1, Math.floor(share * errors.length))] ?? 0;
  return { pairs: errors.length, median: at(0.5), percentile95: at(0.95), largest: at(1) };
}

function euclidean(a: Float32Array, b: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(squares);
}
