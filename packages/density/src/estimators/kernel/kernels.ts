import { checkInteger, checkOptions, checkSeed, InvalidArgumentError, type NeighborIndex } from '@rarefy/core';
import { autoIndex } from '@rarefy/neighbors/auto';
import { emptyIndex } from '../../numeric/empty-index.js';

/**
 * Smoothing kernel of two rows at distance d. `gaussian`: exp(-d² / 2h²). `exponential`: exp(-d / h). `angular`: (1 - θ / π)^p,
 * where θ is the angle between the rows; the angle between a zero row and any other is π / 2.
 */
export type KernelName = 'gaussian' | 'exponential' | 'angular';

/** Kernel value in [0, 1], 1 for equal rows, from the inner product of two rows and their squared lengths. */
export type KernelValue = (product: number, squaredLength: number, otherSquaredLength: number) => number;

/** @param width the bandwidth h in units of distance; for `angular` the power p */
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

export interface KernelDensityOptions {
  /** Default `gaussian`. */
  readonly kernel?: KernelName;
  /**
   * Bandwidth of `gaussian` and `exponential`, in units of distance. Default: the median distance to the 10th nearest other row,
   * over the distinct rows (1,000 of them, evenly spaced, if there are more).
   */
  readonly bandwidth?: number;
  /** Power p of `angular`, above 0; larger values fall faster with the angle. Default 4. */
  readonly power?: number;
  /** Default `exact`. */
  readonly method?: 'exact' | 'near-and-random';
  /** For `near-and-random`: nearest other rows that are summed exactly, an integer ≥ 0. Default 20. */
  readonly k?: number;
  /** For `near-and-random`: rows sampled from the rest, an integer ≥ 1. Default 200. */
  readonly samples?: number;
  /** For `near-and-random`: seed of the sample, any safe integer. Default 0. */
  readonly seed?: number;
  /** For `near-and-random`: makes an empty index, which may be approximate. Default `autoIndex`, with cosine for `angular`. */
  readonly index?: () => NeighborIndex;
}

const optionNames = [
  'kernel',
  'bandwidth',
  'power',
  'method',
  'k',
  'samples',
  'seed',
  'index',
] satisfies (keyof KernelDensityOptions)[];

/** The options with their defaults, and the fingerprint. */
export interface KernelSettings {
  readonly kernel: KernelName;
  /** Undefined if it depends on the rows, and for `angular`. */
  readonly bandwidth: number | undefined;
  readonly power: number;
  readonly fingerprint: string;
  /** Undefined for `exact`. */
  readonly sampling: { readonly k: number; readonly samples: number; readonly seed: number } | undefined;
  readonly index: () => NeighborIndex;
}

/** Fills in the defaults. @throws InvalidArgumentError if an option is unknown or out of range, or does not apply to the kernel. */
export function kernelSettings(options: KernelDensityOptions): KernelSettings {
  checkOptions(options, optionNames, 'kernelDensity');
  const { kernel = 'gaussian', bandwidth, power = 4, method = 'exact', k = 20, samples = 200, seed = 0 } = options;
  const isAngular = kernel === 'angular';
  const { index = () => autoIndex({ metric: isAngular ? 'cosine' : 'euclidean' }) } = options;
  const check = (isValid: boolean, message: string) => {
    if (!isValid) throw new InvalidArgumentError(message);
  };
  check(
    ['gaussian', 'exponential', 'angular'].includes(kernel),
    `kernel must be one of gaussian, exponential, angular, got ${kernel}`,
  );
  check(['exact', 'near-and-random'].includes(method), `method must be exact or near-and-random, got ${method}`);
  check(!isAngular || bandwidth === undefined, 'the angular kernel has no bandwidth; give it a power');
  check(
    isAngular || options.power === undefined,
    `power applies only to the angular kernel; give the ${kernel} kernel a bandwidth`,
  );
  check(power > 0 && power < Infinity, `power must be finite and above 0, got ${power}`);
  check(
    bandwidth === undefined || (bandwidth > 0 && 1 / (2 * bandwidth * bandwidth) < Infinity && bandwidth < Infinity),
    `bandwidth must be finite and above 1e-153, got ${bandwidth}`,
  );
  checkInteger('k', k, 0);
  checkInteger('samples', samples, 1);
  checkSeed(seed);

  const width = isAngular ? `power=${power}` : `bandwidth=${bandwidth ?? 'neighbors'}`;
  const name = `kernel-density:kernel=${kernel},${width}`;
  if (method === 'exact') return { kernel, bandwidth, power, index, sampling: undefined, fingerprint: name };
  const { metric, fingerprint } = emptyIndex(index);
  check(metric !== 'dot', `a kernel density needs an index with metric euclidean or cosine, got ${metric}`);
  const sampling = { k, samples, seed };
  const sampled = `near-and-random,k=${k},samples=${samples},seed=${seed}`;
  return { kernel, bandwidth, power, index, sampling, fingerprint: `${name},${sampled}:${fingerprint}` };
}
