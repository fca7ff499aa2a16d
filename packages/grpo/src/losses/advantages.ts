import { checkOptions, InvalidArgumentError, ShapeError, TrainingError } from '@rarefy/core';

/** What divides the difference of a reward and its group mean: the standard deviation of the group, of all rewards, or 1. */
export type ScaleRewards = 'group' | 'batch' | 'none';

/**
 * How several rewards become one advantage: the weighted sum is compared within its group, or each reward is first normalized
 * within its group, so that rewards of different scale have equal influence (GDPO, Liu et al. 2026).
 */
export type RewardAggregation = 'sum_then_normalize' | 'normalize_then_sum';

export interface GroupAdvantages {
  /** One per reward, in order. */
  readonly advantages: Float64Array;
  /** TRL's `frac_reward_zero_std`: share of rows whose `scaleRewards` deviation is 0; see {@link hasSpread}. */
  readonly zeroSpread: number;
  /** Mean reward of each group; NaN if it has none. */
  readonly means: Float64Array;
  /** Standard deviation (n - 1) of each group's rewards; nothing is learned from a group with 0. */
  readonly deviations: Float64Array;
}

export interface GroupAdvantageOptions {
  /** Default `group`. */
  readonly scaleRewards?: ScaleRewards;
  /** Whether NaN is allowed: a completion that no reward applies to. It does not count, and its advantage is 0. Default false. */
  readonly allowMissing?: boolean;
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
 * @throws ShapeError if the rewards do not form whole groups; TrainingError naming the first row that is infinite, or NaN unless
 *   `allowMissing`.
 */
export function groupAdvantages(
  rewards: Float64Array,
  groupSize: number,
  options: GroupAdvantageOptions = {},
): GroupAdvantages {
  checkOptions(options, ['scaleRewards', 'allowMissing'], 'groupAdvantages');
  const { scaleRewards = 'group', allowMissing = false } = options;
  if (!['group', 'batch', 'none'].includes(scaleRewards)) {
    throw new InvalidArgumentError(`scaleRewards must be 'group', 'batch' or 'none', got '${scaleRewards}'`);
  }
  checkGroups(rewards, groupSize);
  checkRewards(rewards, allowMissing);
  const batchDeviation = meanAndDeviation(rewards).deviation;
  const { means, deviations } = groupStatistics(rewards, groupSize);
  const advantages = rewards.map((reward, row) => {
    const group = Math.floor(row / groupSize);
    const deviation = scaleRewards === 'batch' ? batchDeviation : deviations[group]!;
    const scale = scaleRewards === 'none' ? 1 : deviation + deviationFloor;
    return Number.isNaN(reward) ? 0 : (reward - means[group]!) / scale;
  });
  const scales = scaleRewards === 'batch' ? [batchDeviation] : [...deviations];
  return { advantages, zeroSpread: shareWithoutSpread(scales), means, deviations };
}

/**
 * Advantages of several rewards by `normalize_then_sum` of TRL (GDPO): each reward is normalized within its group, then their
 * weighted sum over the whole batch.
 * @param columns values of each reward, one per completion; NaN where the reward does not apply
 * @param weights one per reward
 * @throws ShapeError if a column does not form whole groups or there are not as many weights as columns.
 */
export function normalizedRewardAdvantages(
  columns: readonly Float64Array[],
  weights: readonly number[],
  groupSize: number,
): GroupAdvantages {
  if (columns.length === 0 || columns.length !== weights.length) {
    throw new ShapeError(`${columns.length} rewards need one weight each, got ${weights.length}`);
  }
  const normalized = columns.map((column) => {
    checkGroups(column, groupSize);
    checkRewards(column, true);
    const { means, deviations } = groupStatistics(column, groupSize);
    return column.map((reward, row) => {
      const group = Math.floor(row / groupSize);
      return (reward - means[group]!) / (deviations[group]! + deviationFloor);
    });
  });
  const sums = weightedSum(normalized, weights);
  const { mean, deviation } = meanAndDeviation(sums);
  const advantages = sums.map((sum) => (Number.isNaN(sum) ? 0 : (sum - mean) / (deviation + deviationFloor)));
  const { means, deviations } = groupStatistics(weightedSum(columns, weights), groupSize);
  return { advantages, zeroSpread: shareWithoutSpread([deviation]), means, deviations };
}

/** Weighted sum of the columns, row by row. NaN does not count; a row of NaN alone is NaN. */
export function weightedSum(columns: readonly Float64Array[], weights: readonly number[]): Float64Array {
  return Float64Array.from({ length: columns[0]!.length }, (_, row) => {
    const terms = columns.map((column, index) => column[row]! * weights[index]!).filter((term) => !Number.isNaN(term));
    return terms.length === 0 ? Number.NaN : terms.reduce((sum, term) => sum + term, 0);
  });
}

/**
 * Mean and sample standard deviation (n - 1; 0 for one value) of the values that are not NaN, in float64. Sums differences to
 * the first value, so that equal values have deviation 0 exactly. Without values the mean is NaN and the deviation 0.
 */
export function meanAndDeviation(values: Float64Array): { mean: number; deviation: number } {
  const known = values.filter((value) => !Number.isNaN(value));
  const first = known[0] ?? Number.NaN;
  let sum = 0;
  for (const value of known) sum += value - first;
  const mean = first + sum / known.length;
  let squares = 0;
  for (const value of known) squares += (value - mean) ** 2;
  return { mean, deviation: known.length > 1 ? Math.sqrt(squares / (known.length - 1)) : 0 };
}

function groupStatistics(rewards: Float64Array, groupSize: number) {
  const groups = Array.from({ length: rewards.length / groupSize }, (_, group) =>
    meanAndDeviation(rewards.subarray(group * groupSize, (group + 1) * groupSize)),
  );
  return {
    means: Float64Array.from(groups, ({ mean }) => mean),
    deviations: Float64Array.from(groups, ({ deviation }) => deviation),
  };
}

function shareWithoutSpread(deviations: readonly number[]): number {
  return deviations.filter((deviation) => !hasSpread(deviation)).length / deviations.length;
}

function checkGroups(rewards: Float64Array, groupSize: number): void {
  const groups = rewards.length / groupSize;
  if (!(Number.isInteger(groupSize) && groupSize >= 1 && Number.isInteger(groups) && groups >= 1)) {
    throw new ShapeError(`${rewards.length} rewards do not form whole groups of ${groupSize}`);
  }
}

function checkRewards(rewards: Float64Array, allowMissing: boolean): void {
  const bad = rewards.findIndex((reward) => !Number.isFinite(reward) && !(allowMissing && Number.isNaN(reward)));
  if (bad >= 0) throw new TrainingError(`the reward of row ${bad} is ${rewards[bad]}; rewards must be finite`);
}
