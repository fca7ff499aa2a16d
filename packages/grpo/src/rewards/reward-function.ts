import { type CallOptions, callOptionNames, checkOptions, InvalidArgumentError, TrainingError } from '@rarefy/core';
import type { Completion } from '../rollout/rollout.js';

/**
 * Scores completions: one finite reward each, in order; larger is better. null: the reward does not apply to this completion,
 * which then does not count in its mean. Completions of the same prompt are adjacent.
 */
export type RewardFunction = (
  completions: readonly Completion[],
  options?: CallOptions,
) => Promise<RewardValues> | RewardValues;

export type RewardValues = Float64Array | readonly (number | null)[];

/** A reward function with its name in logs and errors. */
export interface NamedReward {
  readonly name: string;
  readonly reward: RewardFunction;
  /** Factor of this reward in the total; finite, default 1. */
  readonly weight?: number;
}

export interface RewardScores {
  /** Weighted sum of the rewards that apply: one per completion; NaN if none applies. */
  readonly total: Float64Array;
  /** The values of each reward function before its weight, by name; NaN where it does not apply. */
  readonly rewards: Readonly<Record<string, Float64Array>>;
}

/**
 * Scores completions with several reward functions, which run concurrently.
 * @throws TrainingError naming the function and row if a reward is missing, NaN or infinite; InvalidArgumentError if `rewards`
 *   is empty, a name is repeated or a weight is not finite; the signal's reason on abort.
 */
export async function scoreCompletions(
  rewards: readonly NamedReward[],
  completions: readonly Completion[],
  options: CallOptions = {},
): Promise<RewardScores> {
  checkOptions(options, callOptionNames, 'scoreCompletions');
  if (rewards.length === 0) throw new InvalidArgumentError('rewards is empty; give at least one');
  const columns = await Promise.all(
    rewards.map(async ({ name, reward }) => {
      options.signal?.throwIfAborted();
      const values = await reward(completions, options);
      checkValues(name, values, completions.length);
      return values;
    }),
  );
  const total = new Float64Array(completions.length);
  const byName: Record<string, Float64Array> = {};
  rewards.forEach(({ name, weight = 1 }, index) => {
    if (!Number.isFinite(weight)) {
      throw new InvalidArgumentError(`the weight of reward '${name}' must be finite, got ${weight}`);
    }
    if (Object.hasOwn(byName, name)) {
      throw new InvalidArgumentError(`two rewards are named '${name}'; give each another name`);
    }
    const values = columns[index]!;
    byName[name] = values;
    for (let row = 0; row < total.length; row++) total[row]! += weight * values[row]!;
  });
  return { total, rewards: byName };
}

/** Combines several rewards into one: their weighted sum. The result throws what {@link scoreCompletions} throws. */
export function combineRewards(rewards: readonly NamedReward[]): RewardFunction {
  return async (completions, options) => (await scoreCompletions(rewards, completions, options)).total;
}

function checkValues(name: string, values: Float64Array, rows: number): void {
  if (values.length !== rows) {
    throw new TrainingError(
      `reward '${name}' returned ${values.length} values for ${rows} completions; return one per completion`,
    );
  }
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new TrainingError(`reward '${name}' returned ${values[bad]} for row ${bad}; rewards must be finite`);
  }
}
