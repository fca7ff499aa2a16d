import { InvalidArgumentError, type NeighborIndex } from '@rarefy/core';
import { autoIndex } from '@rarefy/neighbors/auto';
import type { KernelName } from './kernel-value.js';

export interface KernelDensityOptions {
  /** Default `gaussian`. */
  readonly kernel?: KernelName;
  /**
   * In units of distance, of `gaussian` and `exponential`. Default: the median distance to the 10th nearest other row, over the
   * distinct rows (1,000 of them, evenly spread, when there are more).
   */
  readonly bandwidth?: number;
  /** Of `angular`: the power p, above 0; larger falls quicker. Default 4. */
  readonly power?: number;
  /** Default `exact`. */
  readonly method?: 'exact' | 'near-and-random';
  /** Of `near-and-random`: nearest other rows that are summed exactly, an integer ≥ 0. Default 20. */
  readonly k?: number;
  /** Of `near-and-random`: rows sampled from the rest. Default 200. */
  readonly samples?: number;
  /** Of `near-and-random`: which rows are sampled; any safe integer. Default 0. */
  readonly seed?: number;
  /** Of `near-and-random`: makes an empty index, also an approximate one; default `autoIndex`, by cosine for `angular`. */
  readonly index?: () => NeighborIndex;
}

/** The options with their defaults, and what names them in a fingerprint. */
export interface KernelSettings {
  readonly kernel: KernelName;
  /** Undefined where the rows decide, and for `angular`. */
  readonly bandwidth: number | undefined;
  readonly power: number;
  readonly fingerprint: string;
  /** Undefined for `exact`. */
  readonly sampling: { readonly k: number; readonly samples: number; readonly seed: number } | undefined;
  readonly index: () => NeighborIndex;
}

/** @throws InvalidArgumentError for options out of range, or of another kernel. */
export function kernelSettings(options: KernelDensityOptions): KernelSettings {
  const { kernel = 'gaussian', bandwidth, power = 4, method = 'exact', k = 20, samples = 200, seed = 0 } = options;
  const isAngular = kernel === 'angular';
  const { index = () => autoIndex({ metric: isAngular ? 'cosine' : 'euclidean' }) } = options;
  const check = (isRight: boolean, message: string) => {
    if (!isRight) throw new InvalidArgumentError(message);
  };
  check(
    ['gaussian', 'exponential', 'angular'].includes(kernel),
    `kernel must be one of gaussian, exponential, angular, got ${kernel}`,
  );
  check(['exact', 'near-and-random'].includes(method), `method must be exact or near-and-random, got ${method}`);
  check(!isAngular || bandwidth === undefined, 'the angular kernel has no bandwidth; give it a power');
  check(isAngular || options.power === undefined, `power is of the angular kernel; give ${kernel} a bandwidth`);
  check(power > 0 && power < Infinity, `power must be finite and above 0, got ${power}`);
  check(
    bandwidth === undefined || (bandwidth > 0 && 1 / (2 * bandwidth * bandwidth) < Infinity && bandwidth < Infinity),
    `bandwidth must be finite and above 1e-153, got ${bandwidth}`,
  );
  check(Number.isSafeInteger(k) && k >= 0, `k must be an integer ≥ 0, got ${k}`);
  check(Number.isSafeInteger(samples) && samples >= 1, `samples must be an integer ≥ 1, got ${samples}`);
  check(Number.isSafeInteger(seed), `seed must be a safe integer, got ${seed}`);

  const width = isAngular ? `power=${power}` : `bandwidth=${bandwidth ?? 'neighbors'}`;
  const name = `kernel-density:kernel=${kernel},${width}`;
  if (method === 'exact') return { kernel, bandwidth, power, index, sampling: undefined, fingerprint: name };
  const { metric, fingerprint } = index();
  check(metric !== 'dot', `a kernel density needs an index by euclidean or cosine, and this one is by ${metric}`);
  const sampling = { k, samples, seed };
  const sampled = `near-and-random,k=${k},samples=${samples},seed=${seed}`;
  return { kernel, bandwidth, power, index, sampling, fingerprint: `${name},${sampled}:${fingerprint}` };
}
