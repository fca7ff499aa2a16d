import { type CallOptions, InvalidArgumentError, type TokenCountingEmbedder } from '@rarefy/core';
import type { LoadedModel } from '@rarefy/lm';
import { type CausalEmbedderOptions, type ChatText, causalEmbedder } from './causal-embedder.js';
import { lastTokenPool, maxPool, meanLogits, meanPool } from './pooling.js';
import { vocabularyIsometry } from './vocabulary-isometry.js';
import { checkWideRows, type WideRowsOptions, wideRows } from './wide-rows.js';

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
 * @throws InvalidArgumentError if an option is out of range.
 */
export async function hiddenStateEmbedder(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  options: HiddenStateEmbedderOptions = {},
): Promise<TokenCountingEmbedder<ChatText>> {
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
 * @throws InvalidArgumentError if an option is out of range; the signal's reason on abort.
 */
export async function logitsEmbedder(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  { signal, onEvent, ...options }: LogitsEmbedderOptions = {},
): Promise<TokenCountingEmbedder<ChatText>> {
  checkWideRows(options);
  const { model } = loaded;
  const { vocabularySize: vocabulary, hiddenSize: hidden, softCap } = model.description;
  if (softCap !== undefined) {
    const embedder = await causalEmbedder(loaded, options, {
      name: 'logits',
      dimensions: vocabulary,
      pool: (states, mask) => meanLogits(model, states, mask),
      maxBatch: Math.max(1, Math.min(1024, Math.floor(maxBatchNumbers / vocabulary))),
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
  });
  return {
    ...embedder,
    embedRows: (items, work = {}) => wideRows(embedder, items, { ...options, isShort: true }, work),
  };
}
