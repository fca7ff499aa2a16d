import * as tf from '@tensorflow/tfjs-core';
import { activation } from '../layers/activations.js';
import { attention, splitHeads } from '../layers/attention.js';
import { linear } from '../layers/linear.js';
import { rmsNorm } from '../layers/norms.js';
import { rotaryAngles, rotaryTable, rotate } from '../layers/rotary.js';
import { rotaryBase } from './config-reader.js';
import type { ConfigReader, Family } from './family.js';

/** Llama (Touvron et al. 2023): rotary positions, weighted RMS norm, gated SiLU, grouped key/value heads. */
export const llama: Family = {
  describe(config) {
    const heads = config.integer('num_attention_heads');
    const hiddenSize = config.integer('hidden_size');
    return {
      family: 'llama',
      vocabularySize: config.integer('vocab_size'),
      hiddenSize,
      layers: config.integer('num_hidden_layers'),
      heads,
      keyValueHeads: config.integer('num_key_value_heads', heads),
      headSize: config.integer('head_dim', hiddenSize / heads),
      maxPositions: config.integer('max_position_embeddings', 2048),
    };
  },

  parameterShapes(config) {
    const { vocabularySize, hiddenSize, layers, heads, keyValueHeads, headSize } = llama.describe(config);
    const inner = config.integer('intermediate_size');
    const shapes: Record<string, readonly number[]> = {
      'model.embed_tokens.weight': [vocabularySize, hiddenSize],
      'model.norm.weight': [hiddenSize],
    };
    if (!isTied(config)) shapes['lm_head.weight'] = [vocabularySize, hiddenSize];
    for (let layer = 0; layer < layers; layer++) {
      const at = `model.layers.${layer}`;
      shapes[`${at}.input_layernorm.weight`] = [hiddenSize];
      shapes[`${at}.post_attention_layernorm.weight`] = [hiddenSize];
      const add = (name: string, out: number, into: number, bias: boolean) => {
        shapes[`${at}.${name}.weight`] = [out, into];
        if (bias) shapes[`${at}.${name}.bias`] = [out];
      };
      const attentionBias = config.boolean('attention_bias', false);
      const feedForwardBias = config.boolean('mlp_bias', false);
      add('self_attn.q_proj', heads * headSize, hiddenSize, attentionBias);
      add('self_attn.k_proj', keyValueHeads * headSize, hiddenSize, attentionBias);
      add('self_attn.v_proj', keyValueHeads * headSize, hiddenSize, attentionBias);
      add('self_attn.o_proj', hiddenSize, heads * headSize, attentionBias);
      add('mlp.gate_proj', inner, hiddenSize, feedForwardBias);
      add('mlp.up_proj', inner, hiddenSize, feedForwardBias);
      add('mlp.down_proj', hiddenSize, inner, feedForwardBias);
    }
    return shapes;
  },

  headName: (config) => (isTied(config) ? 'model.embed_tokens.weight' : 'lm_head.weight'),
  residualWeights: /\.(o_proj|down_proj)\.weight$/,
  canonicalName: (name) => (name.endsWith('.rotary_emb.inv_freq') ? undefined : name),

  build(config) {
    const { layers, heads, keyValueHeads, headSize, hiddenSize, maxPositions } = llama.describe(config);
    const epsilon = config.number('rms_norm_eps', 1e-6);
    const activate = activation(config.text('hidden_act', 'silu'));
    const table = rotaryTable(maxPositions, headSize, rotaryBase(config));
    return {
      hiddenStates(parameters, ids, context) {
        const [batch, length] = ids.shape;
        const { cos, sin } = rotaryAngles(table, context.positions);
        const tokens = tf.gather(
          parameters['model.embed_tokens.weight']!,
          tf.reshape(ids, [batch * length]) as tf.Tensor1D,
        );
        let x: tf.Tensor = tf.reshape(tokens, [batch, length, hiddenSize]);
        for (let layer = 0; layer < layers; layer++) {
          const input = x;
          x = tf.tidy(() => {
            const at = `model.layers.${layer}`;
            const project = (value: tf.Tensor, name: string) =>
              linear(value, parameters[`${at}.${name}.weight`]!, parameters[`${at}.${name}.bias`]);
            const normed = rmsNorm(input, epsilon, parameters[`${at}.input_layernorm.weight`]);
            const query = rotate(splitHeads(project(normed, 'self_attn.q_proj'), heads), cos, sin);
            const key = rotate(splitHeads(project(normed, 'self_attn.k_proj'), keyValueHeads), cos, sin);
            const value = splitHeads(project(normed, 'self_attn.v_proj'), keyValueHeads);
            const [keys, values] = context.remember(layer, key, value);
            const attended = tf.add(input, project(attention(query, keys, values, context.bias), 'self_attn.o_proj'));
            const wide = rmsNorm(attended, epsilon, parameters[`${at}.post_attention_layernorm.weight`]);
            const gated = tf.mul(activate(project(wide, 'mlp.gate_proj')), project(wide, 'mlp.up_proj'));
            return tf.add(attended, project(gated, 'mlp.down_proj'));
          });
        }
        return rmsNorm(x, epsilon, parameters['model.norm.weight']) as tf.Tensor3D;
      },
      dispose: () => tf.dispose([table.cos, table.sin]),
    };
  },
};

function isTied(config: ConfigReader): boolean {
  return config.boolean('tie_word_embeddings', false);
}
