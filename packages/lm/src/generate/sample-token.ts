import { checkInteger, checkNumber, InvalidArgumentError, shown } from '@rarefy/core';

export interface SamplingOptions {
  /** Divides the logits; 0 always takes the most likely token. Default 1. */
  readonly temperature?: number;
  /** Samples from the k most likely tokens only; 0 for all. Default 0. */
  readonly topK?: number;
  /** Samples from the most likely tokens with at least this total probability; 1 for all. Default 1 (Holtzman et al. 2020). */
  readonly topP?: number;
}

/** Names of {@link SamplingOptions}. */
export const samplingOptionNames = [
  'temperature',
  'topK',
  'topP',
] as const satisfies readonly (keyof SamplingOptions)[];

/** @throws InvalidArgumentError if an option is out of range. */
export function checkSampling({ temperature = 1, topK = 0, topP = 1 }: SamplingOptions): void {
  checkNumber('temperature', temperature, 0);
  checkInteger('topK', topK, 0);
  if (!(typeof topP === 'number' && topP > 0 && topP <= 1)) {
    throw new InvalidArgumentError(`topP must be a number in (0, 1], got ${shown(topP)}`);
  }
}

/**
 * Samples one token from `size` logits at `offset`. Applies temperature, then top-k, then top-p. Computed in float64; among
 * equal logits the smaller id comes first. A pure function of its arguments.
 * @param uniform in [0, 1)
 */
export function sampleToken(
  logits: Float32Array,
  offset: number,
  size: number,
  { temperature = 1, topK = 0, topP = 1 }: SamplingOptions,
  uniform: number,
): number {
  let best = 0;
  let top = logits[offset]!;
  for (let id = 1; id < size; id++) {
    const logit = logits[offset + id]!;
    if (logit > top) {
      top = logit;
      best = id;
    }
  }
  if (temperature === 0) return best;

  const shares = new Float64Array(size);
  for (let id = 0; id < size; id++) shares[id] = exponential((logits[offset + id]! - top) / temperature);
  if (topK > 0 || topP < 1) keepMostLikely(shares, topK > 0 ? topK : size, topP);

  let total = 0;
  for (let id = 0; id < size; id++) total += shares[id]!;
  let remaining = uniform * total;
  let last = best;
  for (let id = 0; id < size; id++) {
    if (shares[id] === 0) continue;
    last = id;
    remaining -= shares[id]!;
    if (remaining < 0) return id;
  }
  return last; // rounding can leave a uniform close to 1 beyond the sum
}

const steps = 64;
/** 2^(i / steps) */
const roots = Float64Array.from({ length: steps }, (_, i) => 2 ** (i / steps));
const least = -1000;
/** 2^(i + least) */
const powers = Float64Array.from({ length: 1 - least }, (_, i) => 2 ** (i + least));

/**
 * exp(x) for x ≤ 0, to 2 units in the last place of float64, in a third of the time of Math.exp. 0 below -693, where it is smaller
 * than 1e-300; NaN for NaN.
 */
function exponential(x: number): number {
  if (x < -693) return 0;
  // x = k · ln 2 / steps + r, with ln 2 / steps in two parts, so that r is exact
  const k = Math.floor(x * (steps / Math.LN2) + 0.5);
  const r = x - k * 0.010830424696223417 - k * 2.572804622327669e-14;
  const i = k & (steps - 1);
  const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))));
  return series * roots[i]! * powers[(k - i) / steps - least]!;
}

/** Sets every share outside the top k and the top p to 0. */
function keepMostLikely(shares: Float64Array, topK: number, topP: number): void {
  const order = Array.from(shares.keys()).sort((x, y) => shares[y]! - shares[x]! || x - y);
  const kept = order.slice(0, topK);
  const total = kept.reduce((sum, id) => sum + shares[id]!, 0);
  let cumulated = 0;
  let count = 0;
  while (count < kept.length && cumulated < topP * total) cumulated += shares[kept[count++]!]!;
  for (const id of order.slice(Math.max(1, count))) shares[id] = 0;
}
