import {
  type CallOptions,
  callOptionNames,
  checkOptions,
  InvalidArgumentError,
  type TokenCountingEmbedder,
} from '@rarefy/core';
import { checkLoaded, checkOutputHead, type LoadedModel } from '@rarefy/lm';
import type { ChatText } from '../chat-text.js';
import { type CausalEmbedderOptions, causalEmbedder, causalOptionNames } from './causal-embedder.js';
import { watchWeights } from './model-identity.js';
import { lastTokenPool, maxPool, meanLogits, meanPool } from './pooling.js';
import { vocabularyIsometry } from './vocabulary-isometry.js';
import { checkWideRows, type WideRowsOptions, wideOptionNames, wideRows } from './wide-rows.js';

export type { CausalEmbedderOptions, ChatText };

const pools = { mean: meanPool, lasttoken: lastTokenPool, max: maxPool };

export interface HiddenStateEmbedderOptions extends CausalEmbedderOptions {
  /**
   * How the states of the real tokens become one row: their mean (default), the state of the last token, or the maximum per column.
   */
  readonly pooling?: keyof typeof pools;
}

/**
 * Embeds chat texts as the mean of the model's last hidden states over real tokens, divided by its length + 1e-8.
 * Deterministic. Disposing the embedder does not dispose the model.
 *
 * The embedder records which weights it was created from. If training changes them, `embedBatch` throws StateMismatchError: give a
 * `snapshot` of a model in training, and create a new embedder from each new snapshot.
 * @throws InvalidArgumentError if an option is unknown or out of range, `loaded` is not a model with its tokenizer, or the model
 *   has neither parameters nor a name.
 */
export async function hiddenStateEmbedder(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  options: HiddenStateEmbedderOptions = {},
): Promise<TokenCountingEmbedder<ChatText>> {
  checkOptions(options, [...causalOptionNames, 'pooling'], 'hiddenStateEmbedder');
  checkLoaded(loaded, 'hiddenStateEmbedder');
  const { pooling = 'mean' } = options;
  if (!Object.hasOwn(pools, pooling)) {
    throw new InvalidArgumentError(`pooling must be one of ${Object.keys(pools).join(', ')}, got ${pooling}`);
  }
  return causalEmbedder(loaded, options, {
    name: pooling === 'mean' ? 'hidden' : `hidden-${pooling}`,
    dimensions: loaded.model.description.hiddenSize,
    pool: pools[pooling],
  });
}

/** Numbers in a batch of rows as wide as the vocabulary: 64 MiB. */
const maxBatchNumbers = 2 ** 24;

export interface LogitsEmbedderOptions extends CausalEmbedderOptions, WideRowsOptions, CallOptions {}

/**
 * Embeds chat texts as the mean of the model's logits over real tokens, divided by its length + 1e-8.
 *
 * For a linear output head, the rows have the hidden size (one more with a bias) and the same distances and inner products as the
 * logits: see {@link vocabularyIsometry}. A soft-capped head has no such short form, so its rows are as wide as the vocabulary.
 * `embedRows` keeps rows on disk, and projects wide rows if they need more than `diskBytes`; `fingerprint` and events say so.
 * Deterministic. Disposing the embedder does not dispose the model.
 *
 * The embedder records which weights it was created from, as {@link hiddenStateEmbedder} does.
 * @throws InvalidArgumentError if an option is unknown or out of range, `loaded` is not a model with its tokenizer, the model has
 *   neither parameters nor a name, or the logits of a model of your own are not those of its head; the signal's reason on abort.
 */
export async function logitsEmbedder(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  allOptions: LogitsEmbedderOptions = {},
): Promise<TokenCountingEmbedder<ChatText>> {
  checkOptions(allOptions, [...causalOptionNames, ...wideOptionNames, ...callOptionNames], 'logitsEmbedder');
  checkLoaded(loaded, 'logitsEmbedder');
  const { signal, onEvent, ...options } = allOptions;
  checkWideRows(options);
  const { model } = loaded;
  checkOutputHead(model);
  const checkWeights = watchWeights(model); // before the head is read
  const { vocabularySize: vocabulary, hiddenSize: hidden, softCap } = model.description;
  if (softCap !== undefined) {
    const embedder = await causalEmbedder(loaded, options, {
      name: 'logits',
      dimensions: vocabulary,
      pool: (states, mask) => meanLogits(model, states, mask),
      maxBatch: Math.max(1, Math.min(1024, Math.floor(maxBatchNumbers / vocabulary))),
      checkWeights,
    });
    const warning = {
      type: 'work-warning',
      task: 'embed',
      code: 'vocabulary-wide-embedding',
      message: `the output head is soft-capped, so embeddings are as wide as the vocabulary: ${vocabulary} columns`,
    } as const;
    let hasWarned = false;
    return {
      ...embedder,
      embedBatch(items, work = {}) {
        if (!hasWarned) work.onEvent?.(warning);
        hasWarned = true;
        return embedder.embedBatch(items, work);
      },
      embedRows: (items, work = {}) => wideRows(embedder, items, options, work),
    };
  }
  const weight = (await model.head.weight.data()) as Float32Array;
  const bias = (await model.head.bias?.data()) as Float32Array | undefined;
  const isometry = await vocabularyIsometry({ weight, bias, vocabulary, hidden }, { signal, onEvent });
  const embedder = await causalEmbedder(loaded, options, {
    name: 'logits-isometry',
    dimensions: isometry.dimensions,
    project: isometry.apply,
    checkWeights,
  });
  return {
    ...embedder,
    embedRows: (items, work = {}) => wideRows(embedder, items, { ...options, isShort: true }, work),
  };
}
