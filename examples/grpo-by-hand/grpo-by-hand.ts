/**
 * GRPO from the prompt to the optimizer step in one file, without `trainGrpo`: for loops that differ from it, and to read.
 *
 *     prompts ─► density ─► weights ─► draws ─► completions ─► rewards ─► advantages ─► loss ─► AdamW step
 *
 * B is the number of completions of a step (`batchSize * groupSize`), P the longest prompt and C the longest completion of the
 * batch, in tokens.
 */
import { compose, inverseDensity, targetEss } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import {
  type CausalLanguageModel,
  generate,
  type LoadedModel,
  padLeft,
  padRight,
  tokenLogProbabilities,
} from '@rarefy/lm';
import { densityAwareSampler } from '@rarefy/samplers';
import { chatFormat, type Tokenizer } from '@rarefy/tokenizers';
import { adamW } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs-core';

export interface Settings {
  /** Prompts per step. */
  readonly batchSize: number;
  /** Completions per prompt. They are compared with each other. */
  readonly groupSize: number;
  readonly steps: number;
  /** Optimizer steps per batch of completions. After the first one, the policy differs from the one that wrote the completions. */
  readonly iterations: number;
  readonly learningRate: number;
  /** Most tokens per prompt and per completion. */
  readonly maxPromptLength: number;
  readonly maxCompletionLength: number;
  readonly seed: number;
}

/** One completion of a prompt. */
export interface Completion {
  readonly prompt: string;
  readonly text: string;
  readonly promptIds: Int32Array;
  /** Tokens, including the stop token if it was generated. */
  readonly ids: Int32Array;
}

/** What a step reports. */
export interface StepReport {
  readonly step: number;
  /** Before the first optimizer step on the batch. */
  readonly loss: number;
  /** Mean over the completions. */
  readonly reward: number;
  /** Rows of the prompts in the data set. */
  readonly positions: Int32Array;
}

/**
 * Trains a policy in place.
 * @param reward one number per completion; larger is better
 */
export async function trainByHand(
  { model, tokenizer }: Pick<LoadedModel, 'model' | 'tokenizer'>,
  prompts: readonly string[],
  reward: (completions: readonly Completion[]) => Float64Array,
  settings: Settings,
  onStep: (report: StepReport) => void = () => {},
): Promise<void> {
  const { batchSize, groupSize, steps, iterations, learningRate, seed } = settings;

  // 1. Embed the prompts with the policy as it is now, measure how crowded each one's neighborhood is, and turn that into weights.
  const sampler = await densityAwareSampler(prompts, {
    embedder: await logitsEmbedder({ model, tokenizer }),
    weighting: compose(inverseDensity(), targetEss(0.5)),
    seed,
  });
  const optimizer = adamW(model.parameters, { learningRate, maxGradNorm: 1 });

  for (let step = 1; step <= steps; step++) {
    // 2. Draw prompts, rare ones more often.
    const { positions, first = (step - 1) * batchSize } = sampler.draw(batchSize);
    const drawn = Array.from(positions, (position) => prompts[position]!);

    // 3. Generate a group of completions per prompt, and score them.
    const completions = await rollOut(model, tokenizer, drawn, first, settings);
    const rewards = reward(completions);
    const advantages = groupAdvantages(rewards, groupSize);

    // 4. Take the optimizer steps on these completions.
    const batch = batchOf(model, completions, advantages);
    let loss = 0;
    for (let iteration = 0; iteration < iterations; iteration++) {
      const { value, grads } = tf.variableGrads(() => dapoLoss(model, batch), Object.values(model.parameters));
      loss += (await value.data())[0]! / iterations;
      optimizer.step(grads);
      tf.dispose([value, grads]);
    }
    tf.dispose(Object.values(batch));
    onStep({ step, loss, reward: rewards.reduce((sum, value) => sum + value, 0) / rewards.length, positions });
  }
  optimizer.dispose();
}

/**
 * Generates `groupSize` completions per prompt; those of a prompt are adjacent.
 * @param first index of the first draw. Every draw has its own random streams, so completions do not depend on the batch.
 */
async function rollOut(
  model: CausalLanguageModel,
  tokenizer: Tokenizer,
  prompts: readonly string[],
  first: number,
  { groupSize, maxPromptLength, maxCompletionLength, seed }: Settings,
): Promise<Completion[]> {
  const format = chatFormat(tokenizer);
  const promptIds = prompts.map((prompt) => format.prompt(prompt, maxPromptLength).ids);
  const generated = await generate(model, promptIds, {
    maxNewTokens: maxCompletionLength,
    stopId: format.stopIds ?? format.stopId,
    samplesPerPrompt: groupSize,
    seed,
    streams: Array.from({ length: prompts.length * groupSize }, (_, row) => first * groupSize + row),
  });
  return generated.map(({ ids }, row) => {
    const index = Math.floor(row / groupSize);
    return { prompt: prompts[index]!, promptIds: promptIds[index]!, ids, text: tokenizer.decode(ids) };
  });
}

/** How much better each completion is than its group: (reward - mean) / (standard deviation + 1e-4). */
function groupAdvantages(rewards: Float64Array, groupSize: number): Float64Array {
  const advantages = new Float64Array(rewards.length);
  for (let start = 0; start < rewards.length; start += groupSize) {
    const group = rewards.subarray(start, start + groupSize);
    const mean = group.reduce((sum, value) => sum + value, 0) / groupSize;
    const variance = group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (groupSize - 1);
    group.forEach((value, index) => {
      advantages[start + index] = (value - mean) / (Math.sqrt(variance) + 1e-4);
    });
  }
  return advantages;
}

/** The completions of a step as tensors. */
type Batch = {
  /** Prompts padded on the left, int32 [B, P]; the mask is 1 for real tokens. */
  readonly promptIds: tf.Tensor2D;
  readonly promptMask: tf.Tensor2D;
  /** Completions padded on the right, int32 [B, C]. */
  readonly completionIds: tf.Tensor2D;
  readonly completionMask: tf.Tensor2D;
  /** [B, 1] */
  readonly advantages: tf.Tensor2D;
  /** Log-probabilities of the completion tokens under the policy that generated them, [B, C]. */
  readonly old: tf.Tensor2D;
};

/** @returns tensors that the caller disposes. */
function batchOf(model: CausalLanguageModel, completions: readonly Completion[], advantages: Float64Array): Batch {
  const prompts = padLeft(completions.map(({ promptIds }) => promptIds));
  const answers = padRight(completions.map(({ ids }) => ids));
  const tokens = {
    promptIds: prompts.ids,
    promptMask: prompts.mask,
    completionIds: answers.ids,
    completionMask: answers.mask,
  };
  return {
    ...tokens,
    advantages: tf.tensor2d(Float32Array.from(advantages), [completions.length, 1]),
    old: tf.tidy(() => logProbabilities(model, tokens)),
  };
}

/** Log-probability of each completion token, [B, C]. Values at padding are meaningless. */
function logProbabilities(model: CausalLanguageModel, batch: Omit<Batch, 'advantages' | 'old'>): tf.Tensor2D {
  const { promptIds, promptMask, completionIds, completionMask } = batch;
  const ids = tf.concat([promptIds, completionIds], 1); // [B, P + C]
  const hidden = model.hiddenStates(ids, tf.concat([promptMask, completionMask], 1)); // [B, P + C, width]
  const [rows, length] = completionIds.shape;
  const width = hidden.shape[2];
  // The hidden state of a column predicts the token of the next one.
  const before = tf.slice(hidden, [0, promptIds.shape[1] - 1, 0], [rows, length, width]);
  const logits = model.logits(tf.reshape(before, [rows * length, width])); // [B · C, vocabulary]
  const targets = tf.reshape(completionIds, [rows * length]) as tf.Tensor1D;
  return tf.reshape(tokenLogProbabilities(logits, targets, 1), [rows, length]);
}

/**
 * The clipped surrogate, as a mean over all tokens of the batch (Yu et al. 2025, "DAPO"):
 *
 *     -min(ρA, clip(ρ, 0.8, 1.28)A),  ρ = π / π_old
 */
function dapoLoss(model: CausalLanguageModel, batch: Batch): tf.Scalar {
  return tf.tidy(() => {
    const { completionMask, advantages, old } = batch;
    const difference = tf.sub(logProbabilities(model, batch), old);
    // Selects instead of multiplying: a value at padding may be infinite, and infinity times 0 is NaN.
    const isToken = tf.cast(completionMask, 'bool');
    const ratio = tf.exp(tf.where(isToken, difference, tf.zerosLike(difference)));
    const clipped = tf.clipByValue(ratio, 0.8, 1.28);
    const perToken = tf.neg(tf.minimum(tf.mul(ratio, advantages), tf.mul(clipped, advantages)));
    const mask = tf.cast(completionMask, 'float32');
    return tf.div(tf.sum(tf.mul(perToken, mask)), tf.sum(mask)) as tf.Scalar;
  });
}
