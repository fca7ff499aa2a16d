import type { Metric } from '@rarefy/core';

/**
 * Returns a function that gives a lower bound of the canonical distance of any row whose value in float32 arithmetic is at least
 * `value`. It covers any order of summation, with or without fused multiply-add: |fl(x · y) - x · y| ≤ d u |x| |y| / (1 - d u).
 * Its arguments: `value`, a squared length or minus an inner product, of rows in the library's scale; `norm`, the length of the
 * query in that scale; `largestNorm`, the largest length of the stored rows. It returns -Infinity if there is no bound.
 * Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 3.1.
 */
export function float32Bound(
  metric: Metric,
  cols: number,
  scale: number,
): (value: number, norm: number, largestNorm: number) => number {
  // 16 roundings more than products: norms, their sum, scaling to length 1.
  const relative = ((cols + 16) * 2 ** -24) / (1 - (cols + 16) * 2 ** -24);
  const underflow = cols * 2 ** -125;
  return (value, norm, largestNorm) => {
    const lengths = metric === 'euclidean' ? (norm + largestNorm) ** 2 : norm * largestNorm;
    const least = value - relative * lengths - underflow;
    if (!(least > -Infinity && lengths < 2 ** 120)) return Number.NEGATIVE_INFINITY;
    const distance =
      metric === 'euclidean'
        ? Math.sqrt(Math.max(0, least)) / scale
        : metric === 'dot'
          ? least / scale ** 2
          : 1 + least;
    return Math.fround(distance - 1e-12 * Math.abs(distance)); // for the float64 roundings of the canonical sum
  };
}
