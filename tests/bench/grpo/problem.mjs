import { counterRandom } from '@rarefy/core';

/** The model of grpo.bench.mjs: gpt2, 4 layers, width 256, vocabulary 8,192. */
export const config = {
  ...{ model_type: 'gpt2', vocab_size: 8192, n_embd: 256, n_layer: 4, n_head: 4, n_positions: 256 },
  ...{ activation_function: 'gelu_new', layer_norm_epsilon: 1e-5 },
};
export const rows = 8;
export const promptLength = 16;
const length = 128;

/** Random tokens [rows · 128] and one advantage per row. */
export function problem() {
  const random = counterRandom(3);
  return {
    tokens: Array.from({ length: rows * length }, (_, index) => Math.floor(config.vocab_size * random.uniform(index))),
    advantages: Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? 1 : -1) * (1 + random.fork(1).uniform(row))),
  };
}
