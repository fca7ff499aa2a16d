import { ShapeError } from '@rarefy/core';
import { chatFormat, type Tokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel } from './causal-language-model.js';
import type { WeightValues } from './language-model.js';

/** Name of the reward head in a weight file, as in transformers' sequence classification models. */
export const rewardHeadName = 'score.weight';

/** Name of an untied output head, which no reward depends on. */
export const outputHeadName = 'lm_head.weight';

/** The architectures of transformers that classify sequences, by `model_type`. Other families have none. */
const classifiers: Readonly<Record<string, string>> = {
  gemma3_text: 'Gemma3TextForSequenceClassification',
  gpt2: 'GPT2ForSequenceClassification',
  llama: 'LlamaForSequenceClassification',
  mistral: 'MistralForSequenceClassification',
  olmo2: 'Olmo2ForSequenceClassification',
  phi3: 'Phi3ForSequenceClassification',
  qwen2: 'Qwen2ForSequenceClassification',
  qwen3: 'Qwen3ForSequenceClassification',
  smollm3: 'SmolLM3ForSequenceClassification',
};

const padNames = ['<pad>', '<|pad|>', '[PAD]', '<|endoftext|>', '<|end_of_text|>', '</s>', '<unk>', '<s>', '<|bos|>'];

/**
 * The config.json with which transformers' `AutoModelForSequenceClassification` loads a reward model: one label, its architecture
 * (unchanged for a family without one), and a `pad_token_id`. transformers scores the last token that is not `pad_token_id`, so
 * that must not be the token that ends an answer: it is the one of the config, or else a special token that no answer ends
 * with.
 */
export function classificationConfig(
  config: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): Readonly<Record<string, unknown>> {
  const { stopId } = chatFormat(tokenizer);
  const ids = [config.pad_token_id, ...padNames.map((name) => tokenizer.specialId(name)), config.bos_token_id];
  const padId = ids.find((id) => Number.isInteger(id) && id !== stopId) ?? (stopId === 0 ? 1 : 0);
  const architecture = classifiers[String(config.model_type)];
  return {
    ...config,
    ...(architecture !== undefined && { architectures: [architecture] }),
    ...{ num_labels: 1, id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 }, pad_token_id: padId },
  };
}

/** A language model with a head that maps the hidden state of the last token to one number (Ouyang et al. 2022). */
export interface RewardModel {
  readonly model: CausalLanguageModel;
  /** The weights that rewards depend on: those of the model without an untied output head, and `score.weight` [1, hidden]. */
  readonly parameters: Readonly<Record<string, tf.Variable>>;
  /** Rewards of right-padded rows, int32 [batch, T]: float32 [batch]. */
  score(ids: tf.Tensor2D, mask: tf.Tensor2D): tf.Tensor1D;
  /** The weight of the head, for saving it with the model. */
  head(): Promise<ReadonlyMap<string, WeightValues>>;
  /** Frees the head and the language model. */
  dispose(): void;
}

/**
 * Adds a reward head to a language model. The result owns the model and disposes it.
 * @param weights weights of a file that may hold `score.weight`; without it the head starts at zero, and so does every reward
 * @throws ShapeError if the head in the file is not 1 x hidden.
 */
export function rewardModel(
  model: CausalLanguageModel,
  weights: ReadonlyMap<string, WeightValues> = new Map(),
): RewardModel {
  const { hiddenSize } = model.description;
  const given = weights.get(rewardHeadName);
  if (given && given.shape.join() !== `1,${hiddenSize}`) {
    throw new ShapeError(`'${rewardHeadName}' is ${given.shape.join(' x ')} and must be 1 x ${hiddenSize}`);
  }
  const initial = tf.tensor2d(given?.data ?? new Float32Array(hiddenSize), [1, hiddenSize]);
  const weight = tf.variable(initial);
  initial.dispose();
  const { [outputHeadName]: _unused, ...withoutOutputHead } = model.parameters;
  return {
    model,
    parameters: { ...withoutOutputHead, [rewardHeadName]: weight },
    score: (ids, mask) =>
      tf.tidy(() => {
        const hidden = model.hiddenStates(ids, mask);
        const real = tf.cast(mask, 'float32');
        // 1 in the last real column of each row: the one with no real column after it.
        const last = tf.mul(real, tf.cast(tf.equal(tf.cumsum(real, 1, true, true), 0), 'float32'));
        const state = tf.sum(tf.mul(hidden, tf.expandDims(last, 2)), 1) as tf.Tensor2D;
        return tf.reshape(tf.matMul(state, weight as unknown as tf.Tensor2D, false, true), [-1]) as tf.Tensor1D;
      }),
    head: async () =>
      new Map([[rewardHeadName, { shape: [1, hiddenSize], data: (await weight.data()) as Float32Array }]]),
    dispose() {
      model.dispose();
      weight.dispose();
    },
  };
}
