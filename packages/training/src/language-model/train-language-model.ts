import { checkInteger, checkOptions, digest, InvalidArgumentError, shown } from '@rarefy/core';
import {
  type CausalLanguageModel,
  checkLoaded,
  checkTrainable,
  padRight,
  type SavedModel,
  tokenLogProbabilities,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { type TrainingOptions, trainingOptionNames, trainWithCheckpoints } from '../run/train-with-checkpoints.js';
import type { ExamplesAt, TrainingExample } from './examples.js';

export interface LanguageModelTrainingOptions extends TrainingOptions {
  /** `base` for pre-training, `sft` for fine-tuning on answers. */
  readonly kind: 'base' | 'sft';
  readonly examples: ExamplesAt;
  /** Identifies the data and its order, for example a digest and a seed. A run resumes only with the same `data`. */
  readonly data: string;
  /** Rows per forward pass; default: the whole batch. Fewer rows need less memory; sums then differ only by rounding. */
  readonly microBatchSize?: number;
}

const optionNames = [
  ...trainingOptionNames,
  'kind',
  'examples',
  'data',
  'microBatchSize',
] as const satisfies readonly (keyof LanguageModelTrainingOptions)[];

/**
 * Next-token training: minimizes the mean negative log-probability of the trained tokens. Metrics: `loss`, `grad_norm`,
 * `learning_rate`, `num_tokens`, `step_time`.
 * @throws InvalidArgumentError if `loaded` is not a model with its tokenizer, or an option is unknown or invalid; otherwise as
 *   `checkTrainable` and `trainWithCheckpoints`.
 */
export async function trainLanguageModel(
  loaded: Omit<SavedModel, 'extra'>,
  options: LanguageModelTrainingOptions,
): Promise<void> {
  checkOptions(options, optionNames, 'trainLanguageModel');
  const { examples, microBatchSize, data, kind } = options;
  if (microBatchSize !== undefined) checkInteger('microBatchSize', microBatchSize, 1);
  if (typeof examples !== 'function') {
    throw new InvalidArgumentError(
      `examples must be a function of the step, such as windows(…) or shuffled(…), got ${shown(examples)}`,
    );
  }
  if (typeof data !== 'string') {
    throw new InvalidArgumentError(`data must be a text that identifies the data and its order, got ${shown(data)}`);
  }
  checkLoaded(loaded, 'trainLanguageModel');
  checkTrainable(loaded.model, loaded.tokenizer);
  await trainWithCheckpoints(
    {
      name: kind,
      loaded,
      parameters: loaded.model.parameters,
      settings: { task: kind, data, firstExamples: digestOf(examples(0)) },
      async step(step, update) {
        const batch = examples(step - 1);
        const trained = trainedTokens(batch);
        const size = microBatchSize ?? Math.max(1, batch.length);
        const losses = Array.from({ length: Math.max(1, Math.ceil(batch.length / size)) }, (_, index) => {
          const rows = batch.slice(index * size, (index + 1) * size);
          return () => languageModelLoss(loaded.model, rows, trained);
        });
        const metrics = await update(losses);
        return { metrics, tokens: batch.reduce((sum, { ids }) => sum + ids.length, 0) };
      },
    },
    options,
  );
}

/** Digest of examples. In the settings of a run, it finds other data even if `data` stays the same. */
function digestOf(examples: readonly TrainingExample[]): string {
  return examples.reduce((chain, { ids, firstTrained }) => digest([firstTrained], digest(ids, chain)), '0'.repeat(16));
}

/** Negative log-probability of the trained tokens of some rows, divided by the trained tokens of the whole batch. */
function languageModelLoss(
  model: CausalLanguageModel,
  examples: readonly TrainingExample[],
  trainedTokens: number,
): tf.Scalar {
  return tf.tidy(() => {
    const { ids, mask } = padRight(examples.map((example) => example.ids));
    const [batch, length] = ids.shape;
    const hidden = model.hiddenStates(ids, mask);
    const width = hidden.shape[2];
    const before = tf.reshape(tf.slice(hidden, [0, 0, 0], [batch, length - 1, width]), [batch * (length - 1), width]);
    const next = tf.reshape(tf.slice(ids, [0, 1], [batch, length - 1]), [-1]) as tf.Tensor1D;
    const trained = new Float32Array(batch * (length - 1));
    examples.forEach(({ ids: row, firstTrained }, index) => {
      trained.fill(1, index * (length - 1) + Math.max(0, firstTrained - 1), index * (length - 1) + row.length - 1);
    });
    const logProbabilities = tokenLogProbabilities(model.logits(before as tf.Tensor2D), next);
    return tf.neg(tf.div(tf.sum(tf.mul(logProbabilities, tf.tensor1d(trained))), trainedTokens)) as tf.Scalar;
  });
}

/** Number of tokens of these examples that are predicted. */
function trainedTokens(examples: readonly TrainingExample[]): number {
  return examples.reduce((sum, { ids, firstTrained }) => sum + Math.max(0, ids.length - Math.max(1, firstTrained)), 0);
}
