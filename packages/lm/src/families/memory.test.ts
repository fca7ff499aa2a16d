import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { padRight } from '../layers/padding.js';
import { initialWeights, languageModel } from './language-model.js';

beforeAll(() => activate('wasm'));

const sizes = {
  vocab_size: 40,
  hidden_size: 16,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 256,
};
const configs = {
  llama: (layers: number) => ({ model_type: 'llama', num_hidden_layers: layers, ...sizes }),
  nanochat: (layers: number) => ({ model_type: 'nanochat', num_hidden_layers: layers, ...sizes }),
  gpt2: (layers: number) => ({
    model_type: 'gpt2',
    vocab_size: 40,
    n_embd: 16,
    n_head: 2,
    n_layer: layers,
    n_positions: 256,
  }),
};

/** Peak bytes of one forward pass, without the model. */
async function passBytes(config: object): Promise<number> {
  const model = languageModel(config, initialWeights(config, 1));
  const { ids, mask } = padRight([Int32Array.from({ length: 200 }, (_, at) => at % 40)]);
  const before = tf.memory().numBytes;
  const { peakBytes } = await tf.profile(() => model.hiddenStates(ids, mask));
  model.dispose();
  tf.disposeVariables();
  return peakBytes - before;
}

test.each(Object.entries(configs))(
  'a pass through many layers of %s holds no more than one layer and its inputs',
  async (_, config) => {
    const [few, many] = [await passBytes(config(2)), await passBytes(config(12))];
    const rowsOfLayer = 4 * 200 * sizes.hidden_size;
    expect(many - few).toBeLessThanOrEqual(10 * rowsOfLayer * 1.5); // attention alone takes 4 * 2 * 200 * 200 bytes several times
  },
);
