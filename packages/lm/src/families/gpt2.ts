import * as tf from '@tensorflow/tfjs-core';
import { activation } from '../layers/activations.js';
import { attention, splitHeads } from '../layers/attention.js';
import { linearTransposed } from '../layers/linear.js';
import { layerNorm } from '../layers/norms.js';
import type { Family } from './family.js';

/** GPT-2 (Radford et al. 2019): learned positions, pre-layer-norm, fused query/key/value, tied head. */
export const gpt2: Family = {
  describe(config) {
    const heads = config.integer('n_head');
    const hiddenSize = config.integer('n_embd');
    return {
      family: 'gpt2',
      vocabularySize: config.integer('vocab_size'),
      hiddenSize,
      layers: config.integer('n_layer'),
      heads,
      keyValueHeads: heads,
      headSize: hiddenSize / heads,
      maxPositions: config.integer('n_positions', 1024),
    };
  },

  parameterShapes(config) {
    const width = config.integer('n_embd');
    const inner = config.integer('n_inner', 4 * width);
    const shapes: Record<string, readonly number[]> = {
      'transformer.wte.weight': [config.integer('vocab_size'), width],
      'transformer.wpe.weight': [config.integer('n_positions', 1024), width],
      'transformer.ln_f.weight': [width],
      'transformer.ln_f.bias': [width],
    };
    for (let layer = 0; layer < config.integer('n_layer'); layer++) {
      const at = `transformer.h.${layer}`;
      for (const norm of ['ln_1', 'ln_2']) {
        shapes[`${at}.${norm}.weight`] = [width];
        shapes[`${at}.${norm}.bias`] = [width];
      }
      const projections = {
        'attn.c_attn': [width, 3 * width],
        'attn.c_proj': [width, width],
        'mlp.c_fc': [width, inner],
        'mlp.c_proj': [inner, width],
      } as const;
      for (const [name, shape] of Object.entries(projections)) {
        shapes[`${at}.${name}.weight`] = shape;
        shapes[`${at}.${name}.bias`] = [shape[1]];
      }
    }
    return shapes;
  },

  headName: () => 'transformer.wte.weight',
  residualWeights: /\.c_proj\.weight$/,

  canonicalName(name) {
    const canonical = name.startsWith('transformer.') || name === 'lm_head.weight' ? name : `transformer.${name}`;
    return /\.attn\.(masked_)?bias$|^lm_head\.weight$/.test(canonical) ? undefined : canonical;
  },

  build(config) {
    const { layers, heads, hiddenSize } = gpt2.describe(config);
    const epsilon = config.number('layer_norm_epsilon', 1e-5);
    const activate = activation(config.text('activation_function', 'gelu_new'));
    return {
      hiddenStates(parameters, ids, context) {
        const [batch, length] = ids.shape;
        const rows = (table: string, indices: tf.Tensor2D) =>
          tf.reshape(tf.gather(parameters[table]!, tf.reshape(indices, [batch * length]) as tf.Tensor1D), [
            batch,
            length,
            hiddenSize,
          ]);
        let x: tf.Tensor = tf.add(
          rows('transformer.wte.weight', ids),
          rows('transformer.wpe.weight', context.positions),
        );
        for (let layer = 0; layer < layers; layer++) {
          const input = x;
          x = tf.tidy(() => {
            const weight = (name: string) => parameters[`transformer.h.${layer}.${name}`]!;
            const norm = (value: tf.Tensor, name: string) =>
              layerNorm(value, weight(`${name}.weight`), weight(`${name}.bias`), epsilon);
            const project = (value: tf.Tensor, name: string) =>
              linearTransposed(value, weight(`${name}.weight`), weight(`${name}.bias`));
            const [query, key, value] = tf
              .split(project(norm(input, 'ln_1'), 'attn.c_attn'), 3, 2)
              .map((part) => splitHeads(part, heads)) as [tf.Tensor, tf.Tensor, tf.Tensor];
            const [keys, values] = context.remember(layer, key, value);
            const attended = tf.add(input, project(attention(query, keys, values, context.bias), 'attn.c_proj'));
            return tf.add(attended, project(activate(project(norm(attended, 'ln_2'), 'mlp.c_fc')), 'mlp.c_proj'));
          });
        }
        return layerNorm(
          x,
          parameters['transformer.ln_f.weight']!,
          parameters['transformer.ln_f.bias']!,
          epsilon,
        ) as tf.Tensor3D;
      },
      dispose() {},
    };
  },
};
