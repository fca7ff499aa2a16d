import * as tf from '@tensorflow/tfjs-core';
import { splitHeads } from '../layers/attention.js';
import { activation, embedding, linear, rmsNorm } from '../layers/basic-layers.js';
import { rotaryAngles, rotaryTable, rotate } from '../layers/rotary.js';
import type { ModelFamily } from './causal-language-model.js';
import { type ConfigReader, rotaryBase } from './config.js';
import type { Family } from './decoder.js';

/** What a family with rotary positions and RMS norm decides for itself. */
interface RotaryVariant {
  readonly family: ModelFamily;
  /** Activation if config.json names none. */
  readonly activation: string;
  /** Whether norms have weights. */
  readonly hasNormWeights: boolean;
  /** Whether the embedded tokens, and the rotated queries and keys, are normalized too. */
  readonly normalizesEmbeddingAndHeads: boolean;
  /** Whether queries and keys are rotated by the negative angle. */
  readonly rotatesBackward: boolean;
  /** Projections of contract(activation(gate(x)) · expand(x)), or of contract(activation(expand(x))) without a gate. */
  readonly feedForward: { readonly gate?: string; readonly expand: string; readonly contract: string };
  /** Whether logits are soft-capped at `final_logit_softcapping`. */
  readonly hasSoftCap: boolean;
  isTied(config: ConfigReader): boolean;
  /** Whether a projection, such as `mlp.up_proj`, has a bias. */
  hasBias(config: ConfigReader, projection: string): boolean;
  canonicalName(name: string): string | undefined;
}

/** A family of decoders with rotary positions (Su et al. 2021), RMS norm, and grouped key/value heads. */
function rotaryFamily(variant: RotaryVariant): Family {
  const { gate, expand, contract } = variant.feedForward;

  const describe: Family['describe'] = (config) => {
    const heads = config.integer('num_attention_heads');
    const hiddenSize = config.integer('hidden_size');
    const softCap = variant.hasSoftCap ? config.raw('final_logit_softcapping') : undefined;
    return {
      family: variant.family,
      vocabularySize: config.integer('vocab_size'),
      hiddenSize,
      layers: config.integer('num_hidden_layers'),
      heads,
      keyValueHeads: config.integer('num_key_value_heads', heads),
      headSize: config.integer('head_dim', hiddenSize / heads),
      maxPositions: config.integer('max_position_embeddings', 2048),
      ...(typeof softCap === 'number' ? { softCap } : {}),
    };
  };

  return {
    describe,

    parameterShapes(config) {
      const { vocabularySize, hiddenSize, layers, heads, keyValueHeads, headSize } = describe(config);
      const inner = config.integer('intermediate_size');
      const projections: [name: string, out: number, into: number][] = [
        ['self_attn.q_proj', heads * headSize, hiddenSize],
        ['self_attn.k_proj', keyValueHeads * headSize, hiddenSize],
        ['self_attn.v_proj', keyValueHeads * headSize, hiddenSize],
        ['self_attn.o_proj', hiddenSize, heads * headSize],
        ...(gate ? [gate, expand] : [expand]).map((name): [string, number, number] => [name, inner, hiddenSize]),
        [contract, hiddenSize, inner],
      ];
      const shapes: Record<string, readonly number[]> = { 'model.embed_tokens.weight': [vocabularySize, hiddenSize] };
      if (variant.hasNormWeights) shapes['model.norm.weight'] = [hiddenSize];
      if (!variant.isTied(config)) shapes['lm_head.weight'] = [vocabularySize, hiddenSize];
      for (let layer = 0; layer < layers; layer++) {
        const prefix = `model.layers.${layer}`;
        if (variant.hasNormWeights) {
          shapes[`${prefix}.input_layernorm.weight`] = [hiddenSize];
          shapes[`${prefix}.post_attention_layernorm.weight`] = [hiddenSize];
        }
        for (const [name, out, into] of projections) {
          shapes[`${prefix}.${name}.weight`] = [out, into];
          if (variant.hasBias(config, name)) shapes[`${prefix}.${name}.bias`] = [out];
        }
      }
      return shapes;
    },

    headName: (config) => (variant.isTied(config) ? 'model.embed_tokens.weight' : 'lm_head.weight'),
    residualWeights: new RegExp(`\\.(self_attn\\.o_proj|${contract.replace('.', '\\.')})\\.weight$`),
    canonicalName: variant.canonicalName,

    build(config) {
      const { heads, keyValueHeads, headSize, maxPositions } = describe(config);
      const epsilon = config.number('rms_norm_eps', 1e-6);
      const activate = activation(config.text('hidden_act', variant.activation));
      const table = rotaryTable(maxPositions, headSize, rotaryBase(config));
      return {
        start(parameters, ids, { positions }) {
          const norm = (x: tf.Tensor, name: string) => rmsNorm(x, epsilon, parameters[`model.${name}.weight`]);
          const { cos, sin } = rotaryAngles(table, positions);
          const signedSin = variant.rotatesBackward ? tf.neg(sin) : sin;
          const tokens = embedding(parameters['model.embed_tokens.weight']!, ids);
          return {
            embedded: variant.normalizesEmbeddingAndHeads ? rmsNorm(tokens, epsilon) : tokens,
            layer(index) {
              const project = (x: tf.Tensor, name: string) => {
                const full = `model.layers.${index}.${name}`;
                return linear(x, parameters[`${full}.weight`]!, parameters[`${full}.bias`]);
              };
              const rotated = (x: tf.Tensor, count: number) => {
                const turned = rotate(splitHeads(x, count), cos, signedSin);
                return variant.normalizesEmbeddingAndHeads ? rmsNorm(turned, epsilon) : turned;
              };
              return {
                queryKeyValue(x) {
                  const normed = norm(x, `layers.${index}.input_layernorm`);
                  return [
                    rotated(project(normed, 'self_attn.q_proj'), heads),
                    rotated(project(normed, 'self_attn.k_proj'), keyValueHeads),
                    splitHeads(project(normed, 'self_attn.v_proj'), keyValueHeads),
                  ];
                },
                project: (attended) => project(attended, 'self_attn.o_proj'),
                feedForward(x) {
                  const normed = norm(x, `layers.${index}.post_attention_layernorm`);
                  const inner = gate
                    ? tf.mul(activate(project(normed, gate)), project(normed, expand))
                    : activate(project(normed, expand));
                  return project(inner, contract);
                },
              };
            },
            finalNorm: (x) => norm(x, 'norm'),
          };
        },
        dispose: () => tf.dispose([table.cos, table.sin]),
      };
    },
  };
}

/** Llama (Touvron et al. 2023): weighted RMS norm, gated SiLU, head tied or not. */
export const llama: Family = rotaryFamily({
  family: 'llama',
  activation: 'silu',
  hasNormWeights: true,
  normalizesEmbeddingAndHeads: false,
  rotatesBackward: false,
  feedForward: { gate: 'mlp.gate_proj', expand: 'mlp.up_proj', contract: 'mlp.down_proj' },
  hasSoftCap: false,
  isTied: (config) => config.boolean('tie_word_embeddings', false),
  hasBias: (config, name) => config.boolean(name.startsWith('mlp.') ? 'mlp_bias' : 'attention_bias', false),
  canonicalName: (name) => (name.endsWith('.rotary_emb.inv_freq') ? undefined : name),
});

/** nanochat (Karpathy 2025) as transformers computes it: RMS norm without weights, squared ReLU, soft-capped logits. */
export const nanochat: Family = rotaryFamily({
  family: 'nanochat',
  activation: 'relu2',
  hasNormWeights: false,
  normalizesEmbeddingAndHeads: true,
  rotatesBackward: true,
  feedForward: { expand: 'mlp.fc1', contract: 'mlp.fc2' },
  hasSoftCap: true,
  isTied: () => false,
  hasBias: () => false,
  canonicalName: (name) => name,
});
