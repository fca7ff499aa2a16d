import {
  type CallOptions,
  callOptionNames,
  checkOptions,
  described,
  InvalidArgumentError,
  shown,
  TrainingError,
} from '@rarefy/core';
import { weightedSum } from '../losses/advantages.js';
import type { Completion } from '../rollout/rollout.js';

/**
 * Scores completions: one finite reward each, in order; larger is better. null: the reward does not apply to this completion,
 * which then does not count in its mean. Completions of the same prompt are adjacent.
 */
export type RewardFunction = (
  completions: readonly Completion[],
  options?: RewardOptions,
) => Promise<RewardValues> | RewardValues;

export type RewardValues = Float64Array | readonly (number | null)[];

/** What a reward function receives besides the completions. */
export interface RewardOptions extends CallOptions {
  /**
   * Logs a number of this call with the metrics of the step, as `rewards/<name of the reward>/<name>`; TRL's `log_metric`. Several
   * values of a step are averaged. The names `mean` and `std` are taken.
   */
  readonly logMetric?: ((name: string, value: number) => void) | undefined;
}

/** A reward function with its name in logs and errors. */
export interface NamedReward {
  readonly name: string;
  readonly reward: RewardFunction;
  /** Factor of this reward in the total; finite, default 1. */
  readonly weight?: number;
}

const rewardNames = ['name', 'reward', 'weight'] as const satisfies readonly (keyof NamedReward)[];

/** A reward, or a function that has a name of its own: `[lengthReward({ target: 20 })]`. */
export type RewardInput = NamedReward | RewardFunction;

export interface RewardScores {
  /** Weighted sum of the rewards that apply: one per completion; NaN if none applies. */
  readonly total: Float64Array;
  /** The values of each reward function before its weight, by name; NaN where it does not apply. */
  readonly rewards: Readonly<Record<string, Float64Array>>;
  /** What the reward functions logged, by name: see {@link RewardOptions.logMetric}. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/**
 * The rewards with names and weights.
 * @throws InvalidArgumentError if `rewards` is not a list, is empty, repeats a name, or holds what is no reward.
 */
export function namedRewards(rewards: readonly RewardInput[]): Required<NamedReward>[] {
  if (!Array.isArray(rewards)) {
    const hint = typeof rewards === 'function' ? '; give [the function]' : '';
    throw new InvalidArgumentError(`rewards must be an array of rewards, got ${described(rewards)}${hint}`);
  }
  if (rewards.length === 0) throw new InvalidArgumentError('rewards is empty; give at least one');
  const named = rewards.map((given: RewardInput, index) => namedReward(given, `rewards[${index}]`));
  for (const [index, { name }] of named.entries()) {
    if (named.findIndex((other) => other.name === name) === index) continue;
    throw new InvalidArgumentError(`two rewards are named '${name}'; give each another name`);
  }
  return named;
}

/** @param where place in the list, for messages */
function namedReward(given: RewardInput, where: string): Required<NamedReward> {
  if (typeof given === 'function') {
    if (given.name !== '') return { name: given.name, reward: given, weight: 1 };
    throw new InvalidArgumentError(
      `${where} is a function without a name; give { name: 'short', reward: the function }`,
    );
  }
  if (described(given) !== 'an object') {
    throw new InvalidArgumentError(`${where} must be { name, reward }, got ${described(given)}`);
  }
  checkOptions(given, rewardNames, where);
  const { name, reward, weight = 1 } = given;
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(`${where} needs a name for logs and errors, got ${shown(name)}`);
  }
  if (typeof reward !== 'function') {
    throw new InvalidArgumentError(`the reward of '${name}' must be a function of completions, got ${shown(reward)}`);
  }
  if (!Number.isFinite(weight)) {
    throw new InvalidArgumentError(`the weight of reward '${name}' must be finite, got ${shown(weight)}`);
  }
  return { name, reward, weight };
}

/**
 * Scores completions with several reward functions, which run concurrently.
 * @throws TrainingError naming the function and row if a reward is missing, NaN or infinite; InvalidArgumentError if `rewards`
 *   is empty, a name is repeated or missing, or a weight is not finite; the signal's reason on abort.
 */
export async function scoreCompletions(
  rewards: readonly RewardInput[],
  completions: readonly Completion[],
  options: CallOptions = {},
): Promise<RewardScores> {
  checkOptions(options, callOptionNames, 'scoreCompletions');
  const named = namedRewards(rewards);
  const logged = new Map<string, number[]>();
  const columns = await Promise.all(
    named.map(async ({ name, reward }) => {
      options.signal?.throwIfAborted();
      const logMetric = (metric: string, value: number) => {
        checkMetric(name, metric, value);
        const key = `rewards/${name}/${metric}`;
        logged.set(key, [...(logged.get(key) ?? []), value]);
      };
      const values = await reward(completions, { ...options, logMetric });
      checkValues(name, values, completions.length);
      return Float64Array.from(values, (value) => value ?? Number.NaN);
    }),
  );
  const weights = named.map(({ weight }) => weight);
  return {
    total: weightedSum(columns, weights),
    rewards: Object.fromEntries(named.map(({ name }, index) => [name, columns[index]!])),
    metrics: Object.fromEntries(Array.from(logged, ([name, values]) => [name, mean(values)])),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The mean of each metric over the calls that logged it. */
export function meanMetrics(calls: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(calls.flatMap((metrics) => Object.keys(metrics)));
  return Object.fromEntries(Array.from(names, (name) => [name, mean(calls.flatMap((metrics) => metrics[name] ?? []))]));
}

/**
 * Combines several rewards into one: the weighted sum of those that apply, or null. The result throws what
 * {@link scoreCompletions} throws.
 * @throws InvalidArgumentError as `scoreCompletions`, if a reward of the list is not valid.
 */
export function combineRewards(rewards: readonly RewardInput[]): RewardFunction {
  const named = namedRewards(rewards);
  return async (completions, { logMetric, ...options } = {}) => {
    const { total, metrics = {} } = await scoreCompletions(named, completions, options);
    for (const [name, value] of Object.entries(metrics)) logMetric?.(name.replace(/^rewards\//, ''), value);
    return total.some(Number.isNaN) ? Array.from(total, (value) => (Number.isNaN(value) ? null : value)) : total;
  };
}

function checkMetric(reward: string, name: string, value: number): void {
  if (typeof name !== 'string' || name === '' || name === 'mean' || name === 'std') {
    throw new TrainingError(
      `reward '${reward}' logged a metric named ${shown(name)}; use another name than mean and std`,
    );
  }
  if (!Number.isFinite(value)) {
    throw new TrainingError(`reward '${reward}' logged ${shown(value)} as '${name}'; metrics must be finite numbers`);
  }
}

function checkValues(name: string, values: RewardValues, rows: number): void {
  if (!ArrayBuffer.isView(values) && !Array.isArray(values)) {
    throw new TrainingError(
      `reward '${name}' returned ${described(values)}; return a Float64Array with one number per completion (${rows}), or an array with null where the reward does not apply`,
    );
  }
  if (values.length !== rows) {
    throw new TrainingError(
      `reward '${name}' returned ${values.length} values for ${rows} completions; return one per completion`,
    );
  }
  const bad = Array.from(values).findIndex((value) => value !== null && !Number.isFinite(value));
  if (bad >= 0) {
    throw new TrainingError(
      `reward '${name}' returned ${shown(values[bad])} for row ${bad}; rewards must be finite numbers, or null where they do not apply`,
    );
  }
}
