import * as tf from '@tensorflow/tfjs-core';
import { splitHeads } from '../layers/attention.js';
import { activation, embedding, layerNorm, linearTransposed } from '../layers/basic-layers.js';
import { withUpdate } from '../layers/low-rank.js';
import type { ConfigReader } from './config.js';
import type { Family, FamilyDescription } from './decoder.js';

/** The values of a config.json that the decoder needs. */
interface Gpt2Description extends FamilyDescription {
  readonly inner: number;
  readonly epsilon: number;
  readonly activate: (x: tf.Tensor) => tf.Tensor;
  /** Factor of the attention scores of a layer. */
  scale(layer: number): number;
}

function describe(config: ConfigReader): Gpt2Description {
  const heads = config.integer('n_head');
  const hiddenSize = config.integer('n_embd');
  const headSize = hiddenSize / heads;
  const scale = config.boolean('scale_attn_weights', true) ? 1 / Math.sqrt(headSize) : 1;
  const isScaledByLayer = config.boolean('scale_attn_by_inverse_layer_idx', false);
  return {
    family: 'gpt2',
    vocabularySize: config.integer('vocab_size'),
    hiddenSize,
    layers: config.integer('n_layer'),
    heads,
    keyValueHeads: heads,
    headSize,
    maxPositions: config.integer('n_positions', 1024),
    headName: config.boolean('tie_word_embeddings', true) ? 'transformer.wte.weight' : 'lm_head.weight',
    inner: config.integer('n_inner', 4 * hiddenSize),
    epsilon: config.number('layer_norm_epsilon', 1e-5),
    activate: activation(config.text('activation_function', 'gelu_new')),
    scale: (layer) => (isScaledByLayer ? scale / (layer + 1) : scale),
  };
}

/** GPT-2 (Radford et al. 2019): learned positions, layer norm, fused query/key/value projection, head tied or not. */
export const gpt2: Family = {
  describe,

  parameterShapes(config) {
    const { vocabularySize, hiddenSize: width, layers, maxPositions, headName, inner } = describe(config);
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
    shapes[headName] = [vocabularySize, width];
    return shapes;
  },

  residualWeights: /\.c_proj\.weight$/,
  initialNorm: 1,

  canonicalName(name) {
    if (/\bh\.\d+\.attn\.(masked_)?bias$/.test(name)) return undefined;
    return /^(wte|wpe|h|ln_f)\./.test(name) ? `transformer.${name}` : name; // saved without an output head
  },

  build(config) {
    const { heads, epsilon, activate, scale } = describe(config);
    return {
      windows: [],
      start(parameters, ids, { positions }) {
        const weight = (name: string) => parameters[`transformer.${name}`]!;
        const norm = (x: tf.Tensor, name: string) =>
          layerNorm(x, weight(`${name}.weight`), weight(`${name}.bias`), epsilon);
        const project = (x: tf.Tensor, name: string) => {
          const y = linearTransposed(x, weight(`${name}.weight`), weight(`${name}.bias`));
          return withUpdate(y, x, parameters, `transformer.${name}`);
        };
        return {
          embedded: tf.add(embedding(weight('wte.weight'), ids), embedding(weight('wpe.weight'), positions)),
          layer: (index) => ({
            scale: scale(index),
            queryKeyValue: (x) =>
              splitHeads(project(norm(x, `h.${index}.ln_1`), `h.${index}.attn.c_attn`), [heads, heads, heads]) as [
                ...[tf.Tensor, tf.Tensor, tf.Tensor],
              ],
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
