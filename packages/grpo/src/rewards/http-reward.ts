import {
  BadAnswer,
  checkInteger,
  checkOptions,
  checkServiceLimits,
  inParallel,
  type JsonService,
  postJson,
  serviceAddress,
} from '@rarefy/core';
import type { Completion } from '../rollout/rollout.js';
import type { RewardFunction, RewardOptions } from './reward-function.js';

export interface HttpRewardOptions {
  /** Address of the service, without user, password, query and fragment. Redirects are errors. */
  readonly url: string;
  /** Sent as `Authorization: Bearer …`. Never appears in an error or event. */
  readonly apiKey?: string;
  /** Completions per request, an integer ≥ 1; default 64. */
  readonly batchSize?: number;
  /** Requests at the same time, an integer ≥ 1; default 4. */
  readonly maxConcurrency?: number;
  /** Attempts per request, including the first, an integer ≥ 1; default 10. */
  readonly maxAttempts?: number;
  /** Time limit of one attempt, until the last byte of its answer, in ms; default 60,000. */
  readonly attemptTimeoutMs?: number;
  /** Time limit of a request with all its attempts and waits, in ms; default 600,000. */
  readonly deadlineMs?: number;
}

const optionNames = [
  'url',
  'apiKey',
  'batchSize',
  'maxConcurrency',
  'maxAttempts',
  'attemptTimeoutMs',
  'deadlineMs',
] as const satisfies readonly (keyof HttpRewardOptions)[];

/** Enough for any number and its comma in an answer, and for what else the service may send. */
const bytesPerReward = 64;
const bytesPerAnswer = 2 ** 16;

/**
 * Rewards completions with an HTTP service, such as a reward model or a judge on another machine. A request is a POST of
 * `{ "prompts": [text, …], "completions": [text, …], "positions": [integer, …] }`, where a position is the row of the prompt in the
 * data set; the answer is `{ "rewards": [number or null, …] }`, one per completion and in order. null: the reward does not apply.
 *
 * Retries after a broken connection, a timeout, status 408, 429 or 5xx (but not 501 and 505), and an answer with a wrong number of
 * rewards or one that is not a finite number, with the waits of `Retry-After` or exponential backoff. Each retry is a
 * `work-message` event. As deterministic as the service.
 * @throws InvalidArgumentError if an option is unknown, missing or out of range. The reward throws InputError if the service
 *   refuses or still fails after the last attempt or the deadline, and the signal's reason on abort.
 */
export function httpReward(options: HttpRewardOptions): RewardFunction {
  checkOptions(options, optionNames, 'httpReward');
  const { apiKey, batchSize = 64, maxConcurrency = 4, maxAttempts = 10 } = options;
  const { attemptTimeoutMs = 60_000, deadlineMs = 600_000 } = options;
  for (const [name, value] of Object.entries({ batchSize, maxConcurrency })) checkInteger(name, value, 1);
  checkServiceLimits({ maxAttempts, attemptTimeoutMs, deadlineMs });
  const url = serviceAddress(options.url, apiKey);
  const service: JsonService = { url, apiKey, maxAttempts, attemptTimeoutMs, deadlineMs };

  const http: RewardFunction = async (completions, { signal, onEvent }: RewardOptions = {}) => {
    const parts = Array.from({ length: Math.ceil(completions.length / batchSize) }, (_, part) =>
      completions.slice(part * batchSize, (part + 1) * batchSize),
    );
    const rewards = await inParallel(parts, maxConcurrency, signal, (part, either) =>
      requestRewards(service, part, { signal: either, onEvent }),
    );
    return rewards.flat();
  };
  return http;
}

function requestRewards(
  service: JsonService,
  completions: readonly Completion[],
  options: RewardOptions,
): Promise<readonly (number | null)[]> {
  return postJson(service, {
    ...options,
    task: 'reward',
    maxBytes: bytesPerAnswer + bytesPerReward * completions.length,
    body: {
      prompts: completions.map(({ prompt }) => prompt),
      completions: completions.map(({ text }) => text),
      positions: completions.map(({ position }) => position),
    },
    read: (answer) => rewardsIn(answer, completions.length),
  });
}

/** Checks an answer. @throws BadAnswer if it has not one finite number or null per completion. */
function rewardsIn(answer: unknown, count: number): readonly (number | null)[] {
  const { rewards } = Object(answer) as { readonly rewards?: unknown };
  if (!Array.isArray(rewards)) throw new BadAnswer('has no list "rewards"');
  if (rewards.length !== count) throw new BadAnswer(`has ${rewards.length} rewards for ${count} completions`);
  const bad = rewards.findIndex((value) => value !== null && !Number.isFinite(value));
  if (bad < 0) return rewards;
  throw new BadAnswer(`has ${JSON.stringify(rewards[bad])} as reward ${bad}; expected a finite number or null`);
}
