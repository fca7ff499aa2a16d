import type { CallOptions, TokenCountingEmbedder } from '@rarefy/core';
import type { LoadedModel } from '@rarefy/lm';
import { type CausalEmbedderOptions, causalEmbedder } from './causal-embedder.js';
import type { ChatText } from './chat-text.js';
import { meanLogits } from './mean-pool.js';
import { vocabularyIsometry } from './vocabulary-isometry.js';
import { checkWideRows, type WideRowsOptions, wideRows } from './wide-rows.js';

/** Numbers that a batch of rows as wide as the vocabulary may hold: 64 MiB. */
const batchNumbers = 2 ** 24;

export interface LogitsEmbedderOptions extends CausalEmbedderOptions, WideRowsOptions, CallOptions {}

/**
 * Embeds chat texts by the mean of the model's logits over real tokens, L2-normalised.
 *
 * For a linear head the rows are in hidden size (one more with a bias), with the same distances and inner products as the logits
 * (see {@link vocabularyIsometry}). A soft-capped head has no such short form: its rows are as wide as the vocabulary. `embedRows` keeps
 * rows on disk: as they are, or projections of wide ones when they are too many. `fingerprint` and the events tell which. Deterministic; the model
 * stays the caller's.
 * @throws InvalidArgumentError for options out of range; the signal's reason on abort.
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
      maxBatch: Math.max(1, Math.min(1024, Math.floor(batchNumbers / vocabulary))),
    });
    const warning = {
      type: 'work-warning',
      task: 'embed',
      code: 'vocabulary-wide-embedding',
      message: `the output head is soft-capped, so embeddings are ${vocabulary} wide: the whole vocabulary`,
    } as const;
    let warned = false;
    return {
      ...embedder,
      embedBatch(items, work = {}) {
        if (!warned) work.onEvent?.(warning);
        warned = true;
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
