import { type CallOptions, callOptionNames, checkInteger, checkOptions } from '@rarefy/core';
import {
  checkLoaded,
  type GeneratedCompletion,
  generate,
  type LoadedModel,
  padLeft,
  padRight,
  type SamplingOptions,
  samplingOptionNames,
} from '@rarefy/lm';
import {
  type ChatFormat,
  type ChatMessage,
  type ChatPrompt,
  chatFormat,
  checkChatFormat,
  promptText,
} from '@rarefy/tokenizers';
import type { CompletionBatch } from './completion-log-probabilities.js';

/** One completion of a prompt, as rewards see it. */
export interface Completion {
  /** The prompt as text. Several turns are written as `role: content`, with a blank line between them. */
  readonly prompt: string;
  /** The turns of the prompt, if it was given as messages. */
  readonly messages?: readonly ChatMessage[];
  /** Text of the completion alone, without special tokens. */
  readonly text: string;
  /** Row number of the prompt in the data set. */
  readonly position: number;
  /** Tokens of the completion, including the stop token if it was generated. */
  readonly ids: Int32Array;
  /** Whether a stop token was generated before the length limit. */
  readonly terminated: boolean;
  /** Log-probability of each token under the program that sampled it, if that is not the policy itself; NaN: not known. */
  readonly logProbabilities?: Float32Array;
  /** The score that was recorded with the answer, if it comes from a record. */
  readonly score?: number;
}

export interface RolloutOptions extends SamplingOptions, CallOptions {
  /** Completions per prompt. */
  readonly groupSize: number;
  /** Most tokens per prompt, including special tokens; a longer text loses its beginning. */
  readonly maxPromptLength: number;
  /** Most new tokens per completion, including the stop token. */
  readonly maxCompletionLength: number;
  /** How prompts are written, and which tokens end a completion; default `chatFormat(tokenizer)`: as the model was trained. */
  readonly format?: ChatFormat;
  readonly seed: number;
  /** Index of the first prompt in the stream of draws. It selects the random streams, so that no two draws share one. */
  readonly first: number;
}

/** Names of {@link RolloutOptions}. */
const rolloutOptionNames = [
  ...samplingOptionNames,
  ...callOptionNames,
  'groupSize',
  'maxPromptLength',
  'maxCompletionLength',
  'format',
  'seed',
  'first',
] as const satisfies readonly (keyof RolloutOptions)[];

export interface RolloutPrompt {
  readonly position: number;
  /** A text, or the turns before the answer. */
  readonly prompt: ChatPrompt;
}

/** Completions of a batch of prompts, and the prompt tokens they continue. */
export interface Rollout {
  /** [prompts · groupSize]; completions of the same prompt are adjacent. */
  readonly completions: readonly Completion[];
  /** One row per prompt. */
  readonly promptIds: readonly Int32Array[];
  readonly groupSize: number;
}

/**
 * Generates `groupSize` completions per prompt. A completion depends on weights, prompt, seed and draw, not on its batch.
 * @throws InvalidArgumentError if an option is unknown or out of range, or the lengths do not fit the model's positions.
 */
export async function rollout(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  prompts: readonly RolloutPrompt[],
  options: RolloutOptions,
): Promise<Rollout> {
  const { promptIds, stopIds, completionOf } = promptsOfRollout(loaded, prompts, options);
  const { groupSize, maxPromptLength, maxCompletionLength, first, format, ...generation } = options;
  const generated = await generate(loaded.model, promptIds, {
    ...generation,
    maxNewTokens: maxCompletionLength,
    stopId: stopIds,
    samplesPerPrompt: groupSize,
    streams: Array.from({ length: prompts.length * groupSize }, (_, row) => first * groupSize + row),
  });
  return { completions: generated.map(completionOf), promptIds, groupSize };
}

/**
 * The tokens of prompts, those that end a completion, and what makes a completion of generated tokens, given its row.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function promptsOfRollout(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  prompts: readonly RolloutPrompt[],
  options: RolloutOptions,
): {
  readonly promptIds: readonly Int32Array[];
  readonly stopIds: readonly number[];
  completionOf(generated: GeneratedCompletion, row: number): Completion;
} {
  checkOptions(options, rolloutOptionNames, 'rollout');
  checkLoaded(loaded, 'rollout');
  const { tokenizer } = loaded;
  const { groupSize, maxPromptLength, maxCompletionLength, format = chatFormat(tokenizer) } = options;
  checkChatFormat(format, 'rollout');
  checkInteger('groupSize', groupSize, 1);
  checkInteger('maxPromptLength', maxPromptLength, format.prompt('').ids.length);
  checkInteger('maxCompletionLength', maxCompletionLength, 1);
  return {
    promptIds: prompts.map(({ prompt }) => format.prompt(prompt, maxPromptLength).ids),
    stopIds: format.stopIds ?? [format.stopId],
    completionOf(generated: GeneratedCompletion, row: number): Completion {
      const { prompt, position } = prompts[Math.floor(row / groupSize)]!;
      const { ids, terminated } = generated;
      return {
        prompt: promptText(prompt),
        ...(typeof prompt !== 'string' && { messages: prompt }),
        ...{ position, ids, terminated },
        text: tokenizer.decode(terminated ? ids.subarray(0, -1) : ids),
      };
    },
  };
}

/** Completions `start` to `end` - 1 of a rollout as tensors, for the loss. Call inside a tidy. */
export function completionBatch(
  { completions, promptIds, groupSize }: Rollout,
  start = 0,
  end = completions.length,
): CompletionBatch {
  const rows = Array.from({ length: end - start }, (_, index) => start + index);
  const prompts = padLeft(rows.map((row) => promptIds[Math.floor(row / groupSize)]!));
  const answers = padRight(rows.map((row) => completions[row]!.ids));
  return { promptIds: prompts.ids, promptMask: prompts.mask, completionIds: answers.ids, completionMask: answers.mask };
}
