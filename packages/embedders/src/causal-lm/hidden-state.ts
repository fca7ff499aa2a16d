import { InvalidArgumentError, type TokenCountingEmbedder } from '@rarefy/core';
import type { LoadedModel } from '@rarefy/lm';
import { type CausalEmbedderOptions, causalEmbedder } from './causal-embedder.js';
import type { ChatText } from './chat-text.js';
import { lastTokenPool, maxPool, meanPool } from './mean-pool.js';

const pools = { mean: meanPool, lasttoken: lastTokenPool, max: maxPool };

export interface HiddenStateEmbedderOptions extends CausalEmbedderOptions {
  /** How the states of the real tokens become one row: their mean (default), that of the last token, or the largest in each column. */
  readonly pooling?: keyof typeof pools;
}

/**
 * Embeds chat texts as the mean of the model's last hidden states over real tokens, divided by its length + 1e-8.
 * Deterministic; the model stays the caller's.
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
