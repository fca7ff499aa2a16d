import { checkOptions, firstNotFinite, InvalidArgumentError, ShapeError, TrainingError } from '@rarefy/core';

/** What divides the difference of a reward and its group mean: the standard deviation of the group, of all rewards, or 1. */
export type ScaleRewards = 'group' | 'batch' | 'none';

export interface GroupAdvantages {
  /** One per reward, in order. */
  readonly advantages: Float64Array;
  /** Share of groups whose rewards are all equal (see {@link hasSpread}): nothing is learned from them. */
  readonly zeroSpread: number;
  /** Mean reward of each group. */
  readonly means: Float64Array;
  /** Standard deviation (n - 1) of each group's rewards. */
  readonly deviations: Float64Array;
}

/** Whether rewards with this standard deviation differ by more than rounding. */
export function hasSpread(deviation: number): boolean {
  return deviation > 1e-8;
}

/** Keeps the division finite; the same value as in TRL. */
const deviationFloor = 1e-4;

/**
 * Group-relative advantages: (reward - group mean) / (deviation + 1e-4), in float64, as in TRL (Shao et al. 2024; `none` is
 * Dr. GRPO, Liu et al. 2025).
 * @param rewards one per completion; completions of the same prompt are adjacent
 * @throws ShapeError if the rewards do not form whole groups; TrainingError naming the first row that is NaN or infinite.
 */
export function groupAdvantages(
  rewards: Float64Array,
  groupSize: number,
  options: { readonly scaleRewards?: ScaleRewards } = {},
): GroupAdvantages {
  checkOptions(options, ['scaleRewards'], 'groupAdvantages');
  const { scaleRewards = 'group' } = options;
  if (!['group', 'batch', 'none'].includes(scaleRewards)) {
    throw new InvalidArgumentError(`scaleRewards must be 'group', 'batch' or 'none', got '${scaleRewards}'`);
  }
  const groups = rewards.length / groupSize;
  if (!(Number.isInteger(groupSize) && groupSize >= 1 && Number.isInteger(groups) && groups >= 1)) {
    throw new ShapeError(`${rewards.length} rewards do not form whole groups of ${groupSize}`);
  }
  const bad = firstNotFinite(rewards);
  if (bad >= 0) throw new TrainingError(`the reward of row ${bad} is ${rewards[bad]}; rewards must be finite`);

  const batchDeviation = meanAndDeviation(rewards).deviation;
  const advantages = new Float64Array(rewards.length);
  const means = new Float64Array(groups);
  const deviations = new Float64Array(groups);
  let withoutSpread = 0;
  for (let group = 0; group < groups; group++) {
    const start = group * groupSize;
    const { mean, deviation } = meanAndDeviation(rewards.subarray(start, start + groupSize));
    const scale =
      scaleRewards === 'none' ? 1 : (scaleRewards === 'group' ? deviation : batchDeviation) + deviationFloor;
    for (let row = start; row < start + groupSize; row++) advantages[row] = (rewards[row]! - mean) / scale;
    means[group] = mean;
    deviations[group] = deviation;
    if (!hasSpread(deviation)) withoutSpread++;
  }
  return { advantages, zeroSpread: withoutSpread / groups, means, deviations };
}

/**
 * Mean and sample standard deviation (n - 1; 0 for one value), in float64. Sums differences to the first value, so that equal
 * values have deviation 0 exactly. An empty array gives mean NaN and deviation 0.
 */
export function meanAndDeviation(values: Float64Array): { mean: number; deviation: number } {
  const first = values[0] ?? Number.NaN;
  let sum = 0;
  for (const value of values) sum += value - first;
  const mean = first + sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}
