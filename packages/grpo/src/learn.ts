import type { CausalLanguageModel } from '@rarefy/lm';
import type { StepMetrics, TrainingTask } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs-core';
import type { EntropyControl } from './losses/entropy-control.js';
import { type BatchTotals, type PolicyBatch, unpadded } from './losses/policy-batch.js';
import type { PolicyLoss } from './losses/policy-loss.js';
import { type SamplingCorrection, samplingCorrectionMetrics, samplingRatio } from './losses/sampling-correction.js';
import {
  completionLogProbabilities,
  completionLogProbabilitiesAndEntropies,
} from './rollout/completion-log-probabilities.js';
import { type Completion, completionBatch, type Rollout } from './rollout/rollout.js';

interface LearnOptions {
  readonly loss: PolicyLoss;
  readonly entropy: EntropyControl;
  readonly reference?: CausalLanguageModel;
  readonly temperature: number;
  /** How often the rollout is learned from. */
  readonly numIterations: number;
  /** Number of parts of the rollout, of equal size or nearly so; each is one optimizer step. */
  readonly stepsPerGeneration: number;
  readonly maxCompletionLength: number;
  /** Whether completions without a stop token are left out of the loss. */
  readonly maskTruncatedCompletions: boolean;
  /** Factor of each completion in the loss; default 1. */
  readonly sequenceWeights?: Float64Array | undefined;
  /** Corrects for completions that another program sampled; default: no correction. */
  readonly samplingCorrection?: Required<SamplingCorrection> | undefined;
  /** Completions per forward pass; default: all. */
  readonly microBatchSize?: number;
}

/** Rows `start` to `end` - 1 of a rollout, with the inputs of the loss that the policy in training does not change. */
interface MicroBatch {
  readonly start: number;
  readonly end: number;
  readonly given: Omit<PolicyBatch, 'logProbabilities' | 'entropies'>;
}

/** What the policy in training says about a micro-batch: [rows, C] each. */
type Current = Required<Pick<PolicyBatch, 'logProbabilities' | 'entropies'>>;

/**
 * Runs the optimizer steps on one rollout through `update`. Metrics are means over these steps, as those of TRL are over the
 * steps between two lines of its log. `tokens` counts the tokens of prompts and completions.
 */
export async function learnFromRollout(
  model: CausalLanguageModel,
  written: Rollout,
  advantages: Float64Array,
  options: LearnOptions,
  update: Parameters<TrainingTask['step']>[1],
): Promise<{ readonly metrics: StepMetrics; readonly tokens: number }> {
  const { loss, entropy, temperature, numIterations, stepsPerGeneration, maxCompletionLength } = options;
  const { completions, promptIds, groupSize } = written;
  const partCount = Math.min(stepsPerGeneration, completions.length);
  const startOf = (part: number) => Math.floor((part * completions.length) / partCount);
  const parts = Array.from({ length: partCount }, (_, part) =>
    splitRows(model, written, advantages, startOf(part), startOf(part + 1), options),
  );
  const steps: StepMetrics[] = [];
  let corrected: StepMetrics = {};
  try {
    const { samplingCorrection } = options;
    const given = parts.flatMap((microBatches) => microBatches.map((microBatch) => microBatch.given));
    if (samplingCorrection) corrected = await samplingCorrectionMetrics(given, samplingCorrection);
    for (let step = 0; step < numIterations * partCount; step++) {
      const microBatches = parts[step % partCount]!;
      const part = completions.slice(microBatches[0]!.start, microBatches.at(-1)!.end);
      const { applied: entropyCoef } = entropy;
      const totals: BatchTotals = {
        ...{ sequences: part.length, maxCompletionLength },
        // As in TRL: the mean over the parts, so that a token weighs the same in each.
        tokens: lossTokens(completions, options) / partCount,
        ...(entropyCoef !== undefined && { entropyCoef }),
      };
      const seen: Current[] = []; // for the metrics
      try {
        const updated = await update(
          microBatches.map(({ start, end, given }) => () => {
            const batch = completionBatch(written, start, end);
            const current = completionLogProbabilitiesAndEntropies(model, batch, { temperature });
            seen.push(kept(current));
            return loss.loss({ ...given, ...current }, totals);
          }),
        );
        const tokens = lossTokens(part, options);
        const metrics = await lossMetrics(loss, microBatches, seen, { ...totals, tokens });
        if (metrics.entropy_bonus !== undefined) entropy.observe(metrics.entropy_bonus);
        const { coefficient } = entropy;
        steps.push({ ...updated, ...metrics, ...(coefficient !== undefined && { entropy_coef: coefficient }) });
      } finally {
        tf.dispose(seen.map((current) => Object.values(current)));
      }
    }
  } finally {
    tf.dispose(parts.flatMap((microBatches) => microBatches.map(({ given }) => Object.values(given))));
  }
  const promptTokens = promptIds.reduce((sum, ids) => sum + ids.length * groupSize, 0);
  const completionTokens = completions.reduce((sum, { ids }) => sum + ids.length, 0);
  return { metrics: { ...meanOfSteps(steps), ...corrected }, tokens: completionTokens + promptTokens };
}

function kept({ logProbabilities, entropies }: Current): Current {
  return { logProbabilities: tf.keep(tf.clone(logProbabilities)), entropies: tf.keep(tf.clone(entropies)) };
}

/** `entropy` and the metrics of the loss, over all micro-batches of one optimizer step. */
async function lossMetrics(
  loss: PolicyLoss,
  microBatches: readonly MicroBatch[],
  seen: readonly Current[],
  totals: BatchTotals,
): Promise<StepMetrics> {
  let metrics: StepMetrics = {};
  for (const [index, { given }] of microBatches.entries()) {
    const current = seen[index]!;
    const entropies = tf.tidy(() => tf.sum(tf.sum(unpadded(current.entropies, given.mask), 1)));
    const entropy = (await entropies.data())[0]! / Math.max(1, totals.tokens);
    entropies.dispose();
    metrics = combineMetrics(metrics, { entropy, ...(await loss.metrics({ ...given, ...current }, totals)) });
  }
  return metrics;
}

/** Combines metrics of micro-batches, as {@link PolicyLoss.metrics} says. */
function combineMetrics(one: StepMetrics, other: StepMetrics): StepMetrics {
  const combined = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const before = one[name];
    if (before === undefined || (Number.isNaN(before) && /_(min|max)$/.test(name))) combined[name] = value;
    else if (name.endsWith('_min')) combined[name] = Number.isNaN(value) ? before : Math.min(before, value);
    else if (name.endsWith('_max')) combined[name] = Number.isNaN(value) ? before : Math.max(before, value);
    else combined[name] = before + value;
  }
  return combined;
}

/** The mean of each metric over the steps that have it. */
function meanOfSteps(steps: readonly StepMetrics[]): StepMetrics {
  const names = new Set(steps.flatMap((metrics) => Object.keys(metrics)));
  return Object.fromEntries(
    Array.from(names, (name) => {
      const values = steps.map((metrics) => metrics[name] ?? Number.NaN).filter((value) => !Number.isNaN(value));
      return [name, values.reduce((sum, value) => sum + value, 0) / values.length];
    }),
  );
}

function splitRows(
  model: CausalLanguageModel,
  written: Rollout,
  advantages: Float64Array,
  first: number,
  last: number,
  options: LearnOptions,
): MicroBatch[] {
  const { temperature, numIterations, stepsPerGeneration, reference, sequenceWeights, loss } = options;
  const { microBatchSize = last - first, samplingCorrection } = options;
  return Array.from({ length: Math.ceil((last - first) / microBatchSize) }, (_, index) => {
    const start = first + index * microBatchSize;
    const end = Math.min(last, start + microBatchSize);
    const given = tf.tidy(() => {
      const batch = completionBatch(written, start, end);
      const column = (values: Float64Array) => tf.tensor1d(Float32Array.from(values.subarray(start, end)));
      const frozen = (policy: CausalLanguageModel) => completionLogProbabilities(policy, batch, { temperature });
      const sampled = samplingLogProbabilities(written.completions.slice(start, end));
      const isCorrected = sampled !== undefined && samplingCorrection !== undefined;
      // Otherwise needed only by later optimizer steps, whose policy differs from the one that generated the completions.
      const needsOld = isCorrected || numIterations * stepsPerGeneration > 1;
      const oldLogProbabilities = needsOld ? frozen(model) : undefined;
      const isLearned = written.completions.slice(start, end).map((completion) => isLearnedFrom(completion, options));
      const mask = tf.mul<tf.Tensor2D>(
        batch.completionMask,
        tf.tensor2d(isLearned.map(Number), [end - start, 1], 'int32'),
      );
      return {
        mask,
        advantages: column(advantages),
        ...(sequenceWeights && { sequenceWeights: column(sequenceWeights) }),
        ...(oldLogProbabilities && { oldLogProbabilities }),
        ...(sampled && { samplingLogProbabilities: sampled }),
        ...(isCorrected && { samplingRatio: samplingRatio(oldLogProbabilities!, sampled, mask, samplingCorrection) }),
        ...(reference && loss.usesReference !== false && { referenceLogProbabilities: frozen(reference) }),
      };
    });
    return { start, end, given };
  });
}

/** Log-probabilities of the tokens under the program that sampled them: [rows, C], or undefined if it is the policy itself. */
function samplingLogProbabilities(completions: readonly Completion[]): tf.Tensor2D | undefined {
  const length = Math.max(...completions.map(({ ids }) => ids.length));
  const values = new Float32Array(completions.length * length);
  for (const [row, { logProbabilities }] of completions.entries()) {
    if (!logProbabilities) return undefined;
    values.set(logProbabilities, row * length);
  }
  return tf.tensor2d(values, [completions.length, length]);
}

/** Number of tokens that the loss is a mean over. */
function lossTokens(completions: readonly Completion[], options: LearnOptions): number {
  return completions.reduce(
    (sum, completion) => sum + (isLearnedFrom(completion, options) ? completion.ids.length : 0),
    0,
  );
}

function isLearnedFrom({ terminated }: Completion, { maskTruncatedCompletions }: LearnOptions): boolean {
  return terminated || !maskTruncatedCompletions;
}
