import {
  type CausalLanguageModel,
  type StepMetrics,
  type TrainingTask,
  tokenEntropies,
  tokenLogProbabilities,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import type { PolicyLoss } from './losses/policy-losses.js';
import type { BatchTotals, PolicyBatch } from './losses/surrogate.js';
import { completionLogits, completionLogProbabilities } from './rollout/completion-log-probabilities.js';
import { completionBatch, type Rollout } from './rollout/rollout.js';

interface LearnOptions {
  readonly loss: PolicyLoss;
  readonly reference?: CausalLanguageModel;
  readonly temperature: number;
  /** Number of optimizer steps on the rollout. */
  readonly numIterations: number;
  /** Factor of each completion in the loss; default 1. */
  readonly sequenceWeights?: Float64Array | undefined;
  /** Completions per forward pass; default: all. */
  readonly microBatchSize?: number;
}

/** Some rows of a rollout, with the inputs of the loss except the log-probabilities under the policy in training. */
interface MicroBatch {
  readonly start: number;
  readonly end: number;
  readonly given: Omit<PolicyBatch, 'logProbabilities'>;
}

/**
 * Runs the optimizer steps on one rollout through `update`. Metrics are those of the first step, when the policy is still the
 * one that generated the completions. `tokens` counts the tokens of prompts and completions.
 */
export async function learnFromRollout(
  model: CausalLanguageModel,
  written: Rollout,
  advantages: Float64Array,
  options: LearnOptions,
  update: Parameters<TrainingTask['step']>[1],
): Promise<{ readonly metrics: StepMetrics; readonly tokens: number }> {
  const { loss, temperature, numIterations } = options;
  const { completions, promptIds, groupSize } = written;
  const totals: BatchTotals = {
    sequences: completions.length,
    tokens: completions.reduce((sum, { ids }) => sum + ids.length, 0),
  };
  const metrics: StepMetrics = {};
  const add = (values: StepMetrics) => {
    for (const [name, value] of Object.entries(values)) metrics[name] = (metrics[name] ?? 0) + value;
  };
  const microBatches = splitRollout(model, written, advantages, options);
  const first: tf.Tensor2D[] = []; // log-probabilities of the first step, for the metrics
  try {
    for (let iteration = 0; iteration < numIterations; iteration++) {
      const updated = await update(
        microBatches.map(({ start, end, given }) => () => {
          const batch = completionBatch(written, start, end);
          const { logits, ids } = completionLogits(model, batch);
          const flat = tokenLogProbabilities(logits, ids, temperature);
          const logProbabilities = tf.reshape(flat, batch.completionIds.shape) as tf.Tensor2D;
          if (iteration === 0) {
            first.push(tf.keep(tf.clone(logProbabilities)));
            add({ entropy: maskedSum(tokenEntropies(logits, temperature), given.mask) / totals.tokens });
          }
          return loss.loss({ ...given, logProbabilities }, totals);
        }),
      );
      if (iteration === 0) Object.assign(metrics, updated);
    }
    for (const [index, logProbabilities] of first.entries()) {
      add(await loss.metrics({ ...microBatches[index]!.given, logProbabilities }, totals));
    }
  } finally {
    tf.dispose([first, microBatches.map(({ given }) => Object.values(given))]);
  }
  const promptTokens = promptIds.reduce((sum, ids) => sum + ids.length * groupSize, 0);
  return { metrics, tokens: totals.tokens + promptTokens };
}

function splitRollout(
  model: CausalLanguageModel,
  written: Rollout,
  advantages: Float64Array,
  { temperature, numIterations, reference, sequenceWeights, microBatchSize = written.completions.length }: LearnOptions,
): MicroBatch[] {
  const rows = written.completions.length;
  return Array.from({ length: Math.ceil(rows / microBatchSize) }, (_, index) => {
    const start = index * microBatchSize;
    const end = Math.min(rows, start + microBatchSize);
    const given = tf.tidy(() => {
      const batch = completionBatch(written, start, end);
      const column = (values: Float64Array) => tf.tensor1d(Float32Array.from(values.subarray(start, end)));
      const frozen = (policy: CausalLanguageModel) => completionLogProbabilities(policy, batch, { temperature });
      return {
        mask: batch.completionMask,
        advantages: column(advantages),
        ...(sequenceWeights ? { sequenceWeights: column(sequenceWeights) } : {}),
        // Needed only by later optimizer steps, whose policy differs from the one that generated the completions.
        ...(numIterations > 1 ? { oldLogProbabilities: frozen(model) } : {}),
        ...(reference ? { referenceLogProbabilities: frozen(reference) } : {}),
      };
    });
    return { start, end, given };
  });
}

function maskedSum(values: tf.Tensor1D, mask: tf.Tensor2D): number {
  return tf.tidy(() => tf.sum(tf.mul(values, tf.reshape(tf.cast(mask, 'float32'), [-1]))).dataSync()[0]!);
}
