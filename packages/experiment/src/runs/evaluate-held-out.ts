import type { CallOptions } from '@rarefy/core';
import { type Completion, completionLogProbabilities, evaluatePolicy, type RewardInput } from '@rarefy/grpo';
import { type CausalLanguageModel, type LoadedModel, padLeft, padRight } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { Experiment } from '../experiment/experiment.js';
import type { Evaluation } from './run-record.js';

/** Most logits of a forward pass. */
const mostLogits = 2 ** 25;

export interface HeldOutEvaluationOptions extends CallOptions {
  readonly step: number;
  /** Answers per prompt. */
  readonly answers: number;
  readonly seed: number;
  readonly rewards: readonly RewardInput[];
  /** The start model, if it is not the policy itself. */
  readonly start?: CausalLanguageModel;
}

/** Lets a policy answer the held-out prompts. Deterministic: the same weights, seed and number of answers give the same answers. */
export async function evaluateHeldOut(
  experiment: Experiment,
  policy: LoadedModel,
  { step, answers, seed, rewards, start, signal, onEvent }: HeldOutEvaluationOptions,
): Promise<Evaluation> {
  const { heldOut, training, evaluation, judge } = experiment;
  const { temperature, topK, topP, maxCompletionLength } = training;
  const { maxPositions } = policy.model.description;
  const { maxPromptLength = Math.min(512, maxPositions - maxCompletionLength) } = training;
  const { completions, scores } = await evaluatePolicy(
    policy,
    heldOut.map(({ prompt }) => prompt),
    {
      ...(temperature !== undefined && { temperature }),
      ...(topK !== undefined && { topK }),
      ...(topP !== undefined && { topP }),
      ...{ maxPromptLength, maxCompletionLength, rewards, seed, groupSize: answers, signal, onEvent },
      batchSize: evaluation.batchSize ?? 32,
    },
  );
  const format = chatFormat(policy.tokenizer);
  const promptIds = heldOut.map(({ prompt }) => format.prompt(prompt, maxPromptLength).ids);
  const sums = (model: CausalLanguageModel) => logProbabilitySums(model, promptIds, completions, signal);
  const own = await sums(policy.model);
  const underStart = start ? await sums(start) : own;
  return {
    step,
    answers: completions.map(({ text, ids, terminated }, row) => {
      const prompt = heldOut[Math.floor(row / answers)]!;
      return {
        ...{ id: prompt.id, index: row % answers, text, tokens: ids.length, terminated, reward: scores.total[row]! },
        ...{ logProbability: own[row]!, startLogProbability: underStart[row]! },
        ...judge?.(prompt, text),
      };
    }),
  };
}

/** Sum of the log-probabilities of the tokens of each completion at temperature 1, in nats. */
async function logProbabilitySums(
  model: CausalLanguageModel,
  promptIds: readonly Int32Array[],
  completions: readonly Completion[],
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const longest = Math.max(...completions.map(({ ids }) => ids.length));
  const rows = Math.max(1, Math.min(64, Math.floor(mostLogits / (longest * model.description.vocabularySize))));
  const sums = new Float64Array(completions.length);
  for (let first = 0; first < completions.length; first += rows) {
    signal?.throwIfAborted();
    const batch = completions.slice(first, first + rows);
    const values = tf.tidy(() => {
      const prompts = padLeft(batch.map(({ position }) => promptIds[position]!));
      const answers = padRight(batch.map(({ ids }) => ids));
      return completionLogProbabilities(model, {
        ...{ promptIds: prompts.ids, promptMask: prompts.mask },
        ...{ completionIds: answers.ids, completionMask: answers.mask },
      });
    });
    const columns = values.shape[1];
    const numbers = await values.data();
    values.dispose();
    for (const [row, { ids }] of batch.entries()) {
      for (let column = 0; column < ids.length; column++) sums[first + row]! += numbers[row * columns + column]!;
    }
  }
  return sums;
}
