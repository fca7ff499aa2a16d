import type { CallOptions, Embedder } from '@rarefy/core';
import type { LoadedModel } from '@rarefy/lm';
import { type CausalEmbedderOptions, causalEmbedder } from './causal-embedder.js';
import type { ChatText } from './chat-text.js';
import { meanLogits } from './mean-pool.js';
import { vocabularyIsometry } from './vocabulary-isometry.js';

/**
 * Embeds chat texts by the mean of the model's logits over real tokens, L2-normalised.
 *
 * For a linear head the rows are in hidden size (one more with a bias), with the same distances and inner products as the logits
 * (see {@link vocabularyIsometry}); a soft-capped head has no such short form, and its rows are as wide as the vocabulary.
 * `fingerprint` and the events tell which. Deterministic; the model stays the caller's.
 * @throws the signal's reason on abort.
 */
export async function logitsEmbedder(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  { signal, onEvent, ...options }: CausalEmbedderOptions & CallOptions = {},
): Promise<Embedder<ChatText>> {
  const { model } = loaded;
  const { vocabularySize: vocabulary, hiddenSize: hidden, softCap } = model.description;
  if (softCap !== undefined) {
    return causalEmbedder(loaded, options, {
      name: 'logits',
      dimensions: vocabulary,
      pool: (states, mask) => meanLogits(model, states, mask),
      warning: {
        code: 'vocabulary-wide-embedding',
        message: `the output head is soft-capped, so embeddings are ${vocabulary} wide: the whole vocabulary`,
      },
    });
  }
  const weight = (await model.head.weight.data()) as Float32Array;
  const bias = (await model.head.bias?.data()) as Float32Array | undefined;
  const isometry = await vocabularyIsometry({ weight, bias, vocabulary, hidden }, { signal, onEvent });
  return causalEmbedder(loaded, options, {
    name: 'logits-isometry',
    dimensions: isometry.dimensions,
    project: isometry.apply,
  });
}
