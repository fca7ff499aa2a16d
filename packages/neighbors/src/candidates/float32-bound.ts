import type { Metric } from '@rarefy/core';

/**
 * A canonical distance that every row reaches whose value in float32 arithmetic is at least `value`: how far a library's rounding
 * can mislead. Any order of summation, with or without fused multiply-add, is covered: |fl(x·y) - x·y| ≤ d u |x| |y| / (1 - d u).
 * Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 3.1.
 * @param value squared length or minus inner product, of rows in the library's scale
 * @param norm length of the query there
 * @param largestNorm of all stored rows there
 * @returns -Infinity when the bound says nothing
 */
export function float32Bound(
  metric: Metric,
  cols: number,
  scale: number,
): (value: number, norm: number, largestNorm: number) => number {
  // 16 more roundings than products: the norms, their sum, the scaling to length 1.
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
    return Math.fround(distance - 1e-12 * Math.abs(distance)); // the canonical sum has float64 roundings of its own
  };
}
