/**
 * How much a row counts at another. `gaussian`: exp(-d² / 2h²). `exponential`: exp(-d / h). `angular`: (1 - θ / π)^p, θ the angle
 * between the rows; that of a zero row with any other is π / 2.
 */
export type KernelName = 'gaussian' | 'exponential' | 'angular';

/** In [0, 1], and 1 for equal rows, from an inner product and both squared lengths. */
export type KernelValue = (product: number, squaredLength: number, otherSquaredLength: number) => number;

/** @param width the bandwidth h, in units of distance; of `angular` the power p */
export function kernelValue(kernel: KernelName, width: number): KernelValue {
  switch (kernel) {
    case 'gaussian': {
      const factor = -1 / (2 * width * width);
      return (product, length, otherLength) => Math.exp(factor * Math.max(0, length + otherLength - 2 * product));
    }
    case 'exponential':
      return (product, length, otherLength) =>
        Math.exp(-Math.sqrt(Math.max(0, length + otherLength - 2 * product)) / width);
    case 'angular':
      return (product, length, otherLength) => {
        const lengths = Math.sqrt(length * otherLength);
        const cosine = lengths === 0 ? 0 : Math.min(1, Math.max(-1, product / lengths));
        return (1 - Math.acos(cosine) / Math.PI) ** width;
      };
  }
}
