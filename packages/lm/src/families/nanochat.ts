import * as tf from '@tensorflow/tfjs-core';
import { activation } from '../layers/activations.js';
import { attention, splitHeads } from '../layers/attention.js';
import { linear } from '../layers/linear.js';
import { rmsNorm } from '../layers/norms.js';
import { rotaryAngles, rotaryTable, rotate } from '../layers/rotary.js';
import { rotaryBase } from './config-reader.js';
import type { Family } from './family.js';

/**
 * nanochat (Karpathy 2025) as transformers computes it: RMS norm without weights, also of the embedding and of rotated
 * queries and keys; rotary positions in the opposite direction; squared ReLU; soft-capped logits.
 */
export const nanochat: Family = {
  describe(config) {
    const heads = config.integer('num_attention_heads');
    const hiddenSize = config.integer('hidden_size');
    const softCap = config.raw('final_logit_softcapping');
    return {
      family: 'nanochat',
      vocabularySize: config.integer('vocab_size'),
      hiddenSize,
      layers: config.integer('num_hidden_layers'),
      heads,
      keyValueHeads: config.integer('num_key_value_heads', heads),
      headSize: config.integer('head_dim', hiddenSize / heads),
      maxPositions: config.integer('max_position_embeddings', 2048),
      ...(typeof softCap === 'number' ? { softCap } : {}),
    };
  },

  parameterShapes(config) {
    const { vocabularySize, hiddenSize, layers, heads, keyValueHeads, headSize } = nanochat.describe(config);
    const inner = config.integer('intermediate_size');
    const shapes: Record<string, readonly number[]> = {
      'model.embed_tokens.weight': [vocabularySize, hiddenSize],
      'lm_head.weight': [vocabularySize, hiddenSize],
    };
    for (let layer = 0; layer < layers; layer++) {
      const at = `model.layers.${layer}`;
      shapes[`${at}.self_attn.q_proj.weight`] = [heads * headSize, hiddenSize];
      shapes[`${at}.self_attn.k_proj.weight`] = [keyValueHeads * headSize, hiddenSize];
      shapes[`${at}.self_attn.v_proj.weight`] = [keyValueHeads * headSize, hiddenSize];
      shapes[`${at}.self_attn.o_proj.weight`] = [hiddenSize, heads * headSize];
      shapes[`${at}.mlp.fc1.weight`] = [inner, hiddenSize];
      shapes[`${at}.mlp.fc2.weight`] = [hiddenSize, inner];
    }
    return shapes;
  },

  headName: () => 'lm_head.weight',
  residualWeights: /\.(o_proj|fc2)\.weight$/,
  canonicalName: (name) => name,

  build(config) {
    const { layers, heads, keyValueHeads, headSize, hiddenSize, maxPositions } = nanochat.describe(config);
    const epsilon = config.number('rms_norm_eps', 1e-6);
    const activate = activation(config.text('hidden_act', 'relu2'));
    const table = rotaryTable(maxPositions, headSize, rotaryBase(config));
    return {
      hiddenStates(parameters, ids, context) {
        const [batch, length] = ids.shape;
        const { cos, sin } = rotaryAngles(table, context.positions);
        const backwards = tf.neg(sin);
        const tokens = tf.gather(
          parameters['model.embed_tokens.weight']!,
          tf.reshape(ids, [batch * length]) as tf.Tensor1D,
        );
        let x = rmsNorm(tf.reshape(tokens, [batch, length, hiddenSize]), epsilon);
        for (let layer = 0; layer < layers; layer++) {
          const input = x;
          x = tf.tidy(() => {
            const project = (value: tf.Tensor, name: string) =>
              linear(value, parameters[`model.layers.${layer}.${name}.weight`]!);
            const normed = rmsNorm(input, epsilon);
            const query = rmsNorm(
              rotate(splitHeads(project(normed, 'self_attn.q_proj'), heads), cos, backwards),
              epsilon,
            );
            const key = rmsNorm(
              rotate(splitHeads(project(normed, 'self_attn.k_proj'), keyValueHeads), cos, backwards),
              epsilon,
            );
            const value = splitHeads(project(normed, 'self_attn.v_proj'), keyValueHeads);
            const [keys, values] = context.remember(layer, key, value);
            const attended = tf.add(input, project(attention(query, keys, values, context.bias), 'self_attn.o_proj'));
            return tf.add(attended, project(activate(project(rmsNorm(attended, epsilon), 'mlp.fc1')), 'mlp.fc2'));
          });
        }
        return rmsNorm(x, epsilon) as tf.Tensor3D;
      },
      dispose: () => tf.dispose([table.cos, table.sin]),
    };
  },
};
