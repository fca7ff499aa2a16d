import * as tf from '@tensorflow/tfjs-core';
import { splitHeads } from '../layers/attention.js';
import { activation, embedding, layerNorm, linearTransposed } from '../layers/basic-layers.js';
import type { Family } from './decoder.js';

/** GPT-2 (Radford et al. 2019): learned positions, layer norm, fused query/key/value projection, tied head. */
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
    const { vocabularySize, hiddenSize: width, layers, maxPositions } = gpt2.describe(config);
    const inner = config.integer('n_inner', 4 * width);
    const shapes: Record<string, readonly number[]> = {
      'transformer.wte.weight': [vocabularySize, width],
      'transformer.wpe.weight': [maxPositions, width],
      'transformer.ln_f.weight': [width],
      'transformer.ln_f.bias': [width],
    };
    for (let layer = 0; layer < layers; layer++) {
      const prefix = `transformer.h.${layer}`;
      for (const norm of ['ln_1', 'ln_2']) {
        shapes[`${prefix}.${norm}.weight`] = [width];
        shapes[`${prefix}.${norm}.bias`] = [width];
      }
      const projections = {
        'attn.c_attn': [width, 3 * width],
        'attn.c_proj': [width, width],
        'mlp.c_fc': [width, inner],
        'mlp.c_proj': [inner, width],
      } as const;
      for (const [name, shape] of Object.entries(projections)) {
        shapes[`${prefix}.${name}.weight`] = shape;
        shapes[`${prefix}.${name}.bias`] = [shape[1]];
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
    const { heads } = gpt2.describe(config);
    const epsilon = config.number('layer_norm_epsilon', 1e-5);
    const activate = activation(config.text('activation_function', 'gelu_new'));
    return {
      start(parameters, ids, { positions }) {
        const weight = (name: string) => parameters[`transformer.${name}`]!;
        const norm = (x: tf.Tensor, name: string) =>
          layerNorm(x, weight(`${name}.weight`), weight(`${name}.bias`), epsilon);
        const project = (x: tf.Tensor, name: string) =>
          linearTransposed(x, weight(`${name}.weight`), weight(`${name}.bias`));
        return {
          embedded: tf.add(embedding(weight('wte.weight'), ids), embedding(weight('wpe.weight'), positions)),
          layer: (index) => ({
            queryKeyValue: (x) =>
              tf
                .split(project(norm(x, `h.${index}.ln_1`), `h.${index}.attn.c_attn`), 3, 2)
                .map((part) => splitHeads(part, heads)) as [tf.Tensor, tf.Tensor, tf.Tensor],
            project: (attended) => project(attended, `h.${index}.attn.c_proj`),
            feedForward: (x) =>
              project(activate(project(norm(x, `h.${index}.ln_2`), `h.${index}.mlp.c_fc`)), `h.${index}.mlp.c_proj`),
          }),
          finalNorm: (x) => norm(x, 'ln_f'),
        };
      },
      dispose() {},
    };
  },
};
