import {
  type CounterRandom,
  checkInteger,
  checkOptions,
  counterRandom,
  described,
  digest,
  InvalidArgumentError,
  shown,
  warn,
} from '@rarefy/core';
import { type ChatPrompt, chatFormat } from '@rarefy/tokenizers';
import { promptsOfRollout, type Rollout, type RolloutOptions, type RolloutPrompt } from './rollout.js';
import type { RolloutPolicy, RolloutSource } from './rollout-source.js';

/** An answer that some person or model once gave, and how good it is. */
export interface RecordedAnswer {
  readonly text: string;
  /** Larger is better; finite. */
  readonly score: number;
}

/** A prompt and the answers to compare. */
export interface RecordedPrompt {
  readonly prompt: ChatPrompt;
  readonly answers: readonly RecordedAnswer[];
}

/** What {@link recordedGroups} makes of recorded answers. */
export interface RecordedGroups<Prompt> {
  /** The prompts with at least `groupSize` answers, in order. The loader must have these. */
  readonly prompts: readonly Prompt[];
  /** Completions per prompt: that of the loader. */
  readonly groupSize: number;
  /** Number of prompts with fewer answers, which are left out. */
  readonly leftOut: number;
  /** The option `rollouts` of `trainGrpo`. */
  readonly rollouts: RolloutSource;
}

/** Stream of the random numbers that choose answers, so that they are not those of the draws. */
const choiceStream = 0x616e7377;

/**
 * The answers of preference pairs by prompt, in order of first appearance. The score of an answer is the share of its comparisons
 * that it won: 1 for a chosen answer and 0 for a rejected one, and 0.5 for one that won half of them. Equal answers to a prompt are
 * one answer. Margins do not count.
 * @throws InvalidArgumentError if `pairs` is not an array of `{ prompt, chosen, rejected }`.
 */
export function recordedPairs(
  pairs: readonly { readonly prompt: ChatPrompt; readonly chosen: string; readonly rejected: string }[],
): RecordedPrompt[] {
  checkArray(pairs, 'recordedPairs', 'pairs');
  const tallies = new Map<string, { prompt: ChatPrompt; answers: Map<string, { won: number; all: number }> }>();
  for (const [index, pair] of pairs.entries()) {
    const { prompt, chosen, rejected } = Object(pair) as typeof pair;
    if (prompt === undefined || typeof chosen !== 'string' || typeof rejected !== 'string') {
      throw new InvalidArgumentError(`pair ${index} must be { prompt, chosen, rejected }, got ${shown(pair)}`);
    }
    const key = keyOf(prompt);
    const { answers } = tallies.get(key) ?? tallies.set(key, { prompt, answers: new Map() }).get(key)!;
    for (const [text, won] of [[chosen, 1] as const, [rejected, 0] as const]) {
      const before = answers.get(text) ?? { won: 0, all: 0 };
      answers.set(text, { won: before.won + won, all: before.all + 1 });
    }
  }
  return Array.from(tallies.values(), ({ prompt, answers }) => ({
    prompt,
    answers: Array.from(answers, ([text, { won, all }]) => ({ text, score: won / all })),
  }));
}

/**
 * Recorded answers in place of generated ones: the group of a drawn prompt is `groupSize` of its answers. If it has more, each draw
 * takes some of them, without replacement; which ones depends on the seed and the draw only. No answer is repeated in a group, so
 * prompts with fewer are left out.
 *
 * The probability of an answer under the program that wrote it is not known, so nothing corrects for it: the policy's own
 * probability before the first update stands in for it, and the ratio of the loss begins at 1. An answer of more tokens than
 * `maxCompletionLength` is cut and, unless `maskTruncatedCompletions` is false, left out of the loss; its score still counts in its
 * group, `completions/clipped_ratio` counts it, and the first one gives the warning `recorded-answer-cut`.
 * @param options.groupSize an integer ≥ 2; default 2, a chosen and a rejected answer
 * @throws InvalidArgumentError if `recorded` is not an array of recorded prompts, a score is not finite, no prompt has enough
 *   answers, or `groupSize` is out of range. Rollouts throw it if the loader has other prompts or another group size, or `topK` or
 *   `topP` is set.
 */
export function recordedGroups<Prompt extends RecordedPrompt>(
  recorded: readonly Prompt[],
  options: { readonly groupSize?: number } = {},
): RecordedGroups<Prompt> {
  const { groupSize = 2 } = checkOptions(options, ['groupSize'], 'recordedGroups');
  checkInteger('groupSize', groupSize, 2);
  checkArray(recorded, 'recordedGroups', 'recorded prompts');
  for (const [index, entry] of recorded.entries()) checkRecorded(entry, index);
  const prompts = recorded.filter(({ answers }) => answers.length >= groupSize);
  if (prompts.length === 0) {
    throw new InvalidArgumentError(
      `none of the ${recorded.length} prompts has ${groupSize} answers; lower groupSize, or give more answers`,
    );
  }
  let isWarned = false;

  async function rollout(
    policy: RolloutPolicy,
    drawn: readonly RolloutPrompt[],
    rolloutOptions: RolloutOptions,
  ): Promise<Rollout> {
    const { promptIds, completionOf } = promptsOfRollout(policy, drawn, rolloutOptions);
    const { first, seed, maxCompletionLength, format = chatFormat(policy.tokenizer), onEvent } = rolloutOptions;
    checkRollout(rolloutOptions, groupSize);
    const random = counterRandom(seed).fork(choiceStream);
    const completions = drawn.flatMap(({ position, prompt }, index) => {
      const entry = prompts[position];
      if (entry === undefined || keyOf(entry.prompt) !== keyOf(prompt)) {
        throw new InvalidArgumentError(
          `the loader's prompt at position ${position} is not that of the recorded groups; give grpoLoader the \`prompts\` of recordedGroups`,
        );
      }
      return chosen(entry.answers, groupSize, random.fork(first + index)).map(({ text, score }, member) => {
        const { ids, answerStart } = format.conversation(prompt, text);
        const whole = ids.slice(answerStart);
        const terminated = whole.length <= maxCompletionLength;
        if (!terminated && !isWarned) {
          isWarned = true;
          const message = `a recorded answer to the prompt at position ${position} has ${whole.length} tokens, and maxCompletionLength is ${maxCompletionLength}; completions/clipped_ratio is the share of such answers, which are cut`;
          warn(onEvent, { task: 'rollout', code: 'recorded-answer-cut', message });
        }
        const row = index * groupSize + member;
        return { ...completionOf({ ids: whole.slice(0, maxCompletionLength), terminated }, row), text, score };
      });
    });
    return { completions, promptIds, groupSize };
  }

  return {
    ...{ prompts, groupSize, leftOut: recorded.length - prompts.length },
    rollouts: { name: 'recorded', settings: { answers: digestOf(prompts) }, masksTruncated: true, rollout },
  };
}

/** `count` of the answers, in their order. */
function chosen(answers: readonly RecordedAnswer[], count: number, random: CounterRandom): readonly RecordedAnswer[] {
  if (answers.length === count) return answers;
  const indexes = [...answers.keys()];
  for (let index = 0; index < count; index++) {
    const other = index + Math.floor(random.uniform(index) * (indexes.length - index));
    [indexes[index], indexes[other]] = [indexes[other]!, indexes[index]!];
  }
  return indexes
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((index) => answers[index]!);
}

function checkRollout(options: RolloutOptions, groupSize: number): void {
  if (options.groupSize !== groupSize) {
    throw new InvalidArgumentError(
      `the loader has groupSize ${options.groupSize}, and the recorded groups have ${groupSize}; give both the same`,
    );
  }
  const { topK = 0, topP = 1 } = options;
  if (topK !== 0 || topP !== 1) {
    throw new InvalidArgumentError('topK and topP choose tokens to generate, and recorded answers are not generated');
  }
}

function checkArray(value: unknown, where: string, what: string): void {
  if (!Array.isArray(value)) {
    throw new InvalidArgumentError(`${where} needs an array of ${what}, got ${described(value)}`);
  }
}

function checkRecorded(entry: RecordedPrompt, index: number): void {
  const { prompt, answers } = Object(entry) as RecordedPrompt;
  if (prompt === undefined || !Array.isArray(answers)) {
    throw new InvalidArgumentError(
      `recorded prompt ${index} must be { prompt, answers }, got ${shown(entry)}; make pairs into them with recordedPairs`,
    );
  }
  for (const [answer, given] of answers.entries()) {
    const { text, score } = Object(given) as RecordedAnswer;
    if (typeof text === 'string' && Number.isFinite(score)) continue;
    throw new InvalidArgumentError(
      `answer ${answer} of recorded prompt ${index} must be { text, score } with a finite score, got ${shown(given)}`,
    );
  }
}

function keyOf(prompt: ChatPrompt): string {
  return typeof prompt === 'string' ? prompt : JSON.stringify(prompt);
}

function digestOf(prompts: readonly RecordedPrompt[]): string {
  const encoder = new TextEncoder();
  return prompts.reduce((chain, { prompt, answers }) => {
    const texts = [keyOf(prompt), ...answers.map(({ text }) => text)].map((text) => encoder.encode(text));
    const scores = answers.map(({ score }) => score);
    return texts.reduce((before, bytes) => digest(bytes, before), digest(scores, chain));
  }, '0'.repeat(16));
}
