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
  for (let id = 1; id < size; id++) if (logits[offset + id]! > logits[offset + best]!) best = id;
  if (temperature === 0) return best;

  const top = logits[offset + best]!;
  const shares = new Float64Array(size);
  for (let id = 0; id < size; id++) shares[id] = Math.exp((logits[offset + id]! - top) / temperature);
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
