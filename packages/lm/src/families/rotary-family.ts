import * as tf from '@tensorflow/tfjs-core';
import { splitHeads } from '../layers/attention.js';
import { activation, embedding, linear, rmsNorm } from '../layers/basic-layers.js';
import { withUpdate } from '../layers/low-rank.js';
import { type RotaryAngles, rotaryTable, rotate } from '../layers/rotary.js';
import type { ModelFamily } from './causal-language-model.js';
import type { ConfigReader } from './config.js';
import type { Family, FamilyDescription } from './decoder.js';
import { rotaryPositions } from './rotary-positions.js';

/** What may differ from layer to layer. */
export interface LayerPlan {
  /** How many columns back the layer attends to, itself included. Default: all. */
  readonly window?: number | undefined;
  /** How it rotates queries and keys; undefined: not at all. Layers with the same object share a table. */
  readonly angles: RotaryAngles | undefined;
}

/** What a plan of the layers depends on besides the config. */
interface PlanSizes {
  readonly layers: number;
  readonly headSize: number;
  readonly maxPositions: number;
  readonly base: number;
}

/** What a family with rotary positions and RMS norm decides for itself. */
export interface RotaryVariant {
  readonly family: ModelFamily;
  /** Values of fields that config.json may leave out: those of the family's config class in transformers. */
  readonly defaults: {
    readonly activation: string;
    readonly maxPositions: number;
    readonly epsilon: number;
    /** `rope_theta` */
    readonly base: number;
    readonly isTied: boolean;
    /** Default: as many as heads. */
    readonly keyValueHeads?: number;
    /** Default: hidden size / heads. */
    readonly headSize?: number;
    readonly softCap?: number;
  };
  /** Field that names the activation. */
  readonly activationField: 'hidden_act' | 'hidden_activation';
  /** How a norm uses its weight: not at all, as a factor, or as a factor after adding 1. */
  readonly normWeights: 'none' | 'factor' | 'factor - 1';
  /** Names of the norms of a layer, before and after its two parts. */
  readonly norms: {
    readonly beforeAttention?: string;
    readonly afterAttention?: string;
    readonly beforeFeedForward?: string;
    readonly afterFeedForward?: string;
  };
  /** How queries and keys are normalized: each head before or after its rotation, or all heads together before. */
  readonly headNorm: 'none' | 'head' | 'rotated head' | 'all heads';
  /** Whether the embedded tokens are normalized. */
  readonly normalizesEmbedding: boolean;
  /** Whether queries and keys are rotated by the negative angle. */
  readonly rotatesBackward: boolean;
  /** Whether one weight holds the projections of query, key and value, and another one those of gate and expansion. */
  readonly isFused: boolean;
  /**
   * Projections of contract(activation(gate(x)) · expand(x)), or of contract(activation(expand(x))) without a gate. If `isFused`,
   * `expand` holds the gate as its first half.
   */
  readonly feedForward: { readonly gate?: string; readonly expand: string; readonly contract: string };
  /** Whether logits are soft-capped at `final_logit_softcapping`. */
  readonly hasSoftCap: boolean;
  /** Whether a projection, such as `mlp.up_proj`, has a bias. */
  hasBias(config: ConfigReader, projection: string): boolean;
  /** Factors of embedded tokens, attention scores, residual branches and logits. Defaults: 1, 1 / √headSize, 1, 1. */
  multipliers?(config: ConfigReader, hiddenSize: number): Multipliers;
  /** A function from the number of a layer to its plan. Default: rotary positions in all layers, no window. */
  plan?(config: ConfigReader, sizes: PlanSizes): (layer: number) => LayerPlan;
}

interface Multipliers {
  readonly embedding?: number;
  readonly attention?: number;
  readonly residual?: number;
  readonly logits?: number;
}

/** The values of a config.json that a decoder needs. */
interface RotaryDescription extends FamilyDescription {
  readonly inner: number;
  readonly epsilon: number;
  readonly activate: (x: tf.Tensor) => tf.Tensor;
  readonly multipliers: Multipliers;
  readonly projections: readonly Projection[];
  plan(layer: number): LayerPlan;
}

interface Projection {
  readonly name: string;
  readonly shape: readonly [out: number, into: number];
  readonly hasBias: boolean;
}

/** A family of decoders with rotary positions (Su et al. 2021), RMS norm, and grouped key/value heads. */
export function rotaryFamily(variant: RotaryVariant): Family {
  const { defaults, headNorm, isFused, norms } = variant;
  const { gate, expand, contract } = variant.feedForward;
  const hasWeights = variant.normWeights !== 'none';
  const hasHeadWeights = headNorm === 'head' || headNorm === 'all heads';

  function describe(config: ConfigReader): RotaryDescription {
    const heads = config.integer('num_attention_heads');
    const hiddenSize = config.integer('hidden_size');
    const withoutField = config.raw('num_key_value_heads') === undefined ? (defaults.keyValueHeads ?? heads) : heads;
    const keyValueHeads = config.integer('num_key_value_heads', withoutField);
    const headSize = config.integer('head_dim', defaults.headSize ?? hiddenSize / heads);
    const maxPositions = config.integer('max_position_embeddings', defaults.maxPositions);
    const layers = config.integer('num_hidden_layers');
    const inner = config.integer('intermediate_size');
    const softCap = variant.hasSoftCap ? softCapOf(config, defaults.softCap) : undefined;
    const { logits, ...multipliers } = variant.multipliers?.(config, hiddenSize) ?? {};
    const sizes = { layers, headSize, maxPositions, base: defaults.base };
    const angles = variant.plan ? undefined : rotaryPositions(config, sizes);
    const shapes: Record<string, readonly [out: number, into: number]> = {
      ...(isFused
        ? { 'self_attn.qkv_proj': [(heads + 2 * keyValueHeads) * headSize, hiddenSize] }
        : {
            'self_attn.q_proj': [heads * headSize, hiddenSize],
            'self_attn.k_proj': [keyValueHeads * headSize, hiddenSize],
            'self_attn.v_proj': [keyValueHeads * headSize, hiddenSize],
          }),
      'self_attn.o_proj': [hiddenSize, heads * headSize],
      ...(gate === undefined ? {} : { [gate]: [inner, hiddenSize] }),
      [expand]: [isFused ? 2 * inner : inner, hiddenSize],
      [contract]: [hiddenSize, inner],
    };
    return {
      family: variant.family,
      vocabularySize: config.integer('vocab_size'),
      hiddenSize,
      layers,
      heads,
      keyValueHeads,
      headSize,
      maxPositions,
      headName: config.boolean('tie_word_embeddings', defaults.isTied) ? 'model.embed_tokens.weight' : 'lm_head.weight',
      ...(logits === undefined ? {} : { headScale: logits }),
      ...(softCap === undefined ? {} : { softCap }),
      inner,
      epsilon: config.number('rms_norm_eps', defaults.epsilon),
      activate: activation(config.text(variant.activationField, defaults.activation)),
      multipliers,
      projections: Object.entries(shapes).map(([name, shape]) => ({
        name,
        shape,
        hasBias: variant.hasBias(config, name),
      })),
      plan: variant.plan?.(config, sizes) ?? (() => ({ angles })),
    };
  }

  return {
    describe,

    parameterShapes(config) {
      const { vocabularySize, hiddenSize, layers, heads, keyValueHeads, headSize, headName, projections } =
        describe(config);
      const shapes: Record<string, readonly number[]> = { 'model.embed_tokens.weight': [vocabularySize, hiddenSize] };
      if (hasWeights) shapes['model.norm.weight'] = [hiddenSize];
      shapes[headName] = [vocabularySize, hiddenSize];
      for (let layer = 0; layer < layers; layer++) {
        const prefix = `model.layers.${layer}`;
        if (hasWeights) for (const name of Object.values(norms)) shapes[`${prefix}.${name}.weight`] = [hiddenSize];
        for (const { name, shape, hasBias } of projections) {
          shapes[`${prefix}.${name}.weight`] = shape;
          if (hasBias) shapes[`${prefix}.${name}.bias`] = [shape[0]];
        }
        if (hasHeadWeights) {
          const size = (count: number) => [headNorm === 'head' ? headSize : count * headSize];
          shapes[`${prefix}.self_attn.q_norm.weight`] = size(heads);
          shapes[`${prefix}.self_attn.k_norm.weight`] = size(keyValueHeads);
        }
      }
      return shapes;
    },

    residualWeights: new RegExp(`\\.(self_attn\\.o_proj|${contract.replace('.', '\\.')})\\.weight$`),
    initialNorm: variant.normWeights === 'factor - 1' ? 0 : 1,

    canonicalName(name) {
      if (name.endsWith('.rotary_emb.inv_freq')) return undefined;
      return /^(embed_tokens|layers|norm)\./.test(name) ? `model.${name}` : name; // saved without an output head
    },

    build(config) {
      const { layers, heads, keyValueHeads, headSize, maxPositions, epsilon, activate, multipliers, plan } =
        describe(config);
      const scale = multipliers.attention ?? 1 / Math.sqrt(headSize);
      const plans = Array.from({ length: layers }, (_, layer) => plan(layer));
      const allAngles = new Set(plans.flatMap(({ angles }) => (angles === undefined ? [] : [angles])));
      const tables = new Map([...allAngles].map((angles) => [angles, rotaryTable(angles, maxPositions)]));

      return {
        windows: [...new Set(plans.flatMap(({ window }) => (window === undefined ? [] : [window])))],

        start(parameters, ids, { positions, positionLimit }) {
          const norm = (x: tf.Tensor, name: string) => {
            const weight = parameters[`model.${name}.weight`];
            return rmsNorm(x, epsilon, weight && variant.normWeights === 'factor - 1' ? tf.add(weight, 1) : weight);
          };
          const rotations = new Map(
            [...tables].map(([angles, table]) => {
              const { cos, sin } = table.rows(positions, positionLimit);
              return [angles, { cos, sin: variant.rotatesBackward ? tf.neg(sin) : sin }];
            }),
          );
          const tokens = times(embedding(parameters['model.embed_tokens.weight']!, ids), multipliers.embedding);

          return {
            embedded: variant.normalizesEmbedding ? rmsNorm(tokens, epsilon) : tokens,

            layer(index) {
              const { window, angles } = plans[index]!;
              const rotation = angles && rotations.get(angles)!;
              const normed = (x: tf.Tensor, name?: string) =>
                name === undefined ? x : norm(x, `layers.${index}.${name}`);
              const project = (x: tf.Tensor, name: string) => {
                const full = `model.layers.${index}.${name}`;
                const y = linear(x, parameters[`${full}.weight`]!, parameters[`${full}.bias`]);
                return withUpdate(y, x, parameters, full);
              };
              const splitProjection = (x: tf.Tensor, name: 'q' | 'k' | 'v', count: number) => {
                const projected = project(x, `self_attn.${name}_proj`);
                const isNormed = headNorm === 'all heads' && name !== 'v';
                return splitHeads(isNormed ? normed(projected, `self_attn.${name}_norm`) : projected, [count])[0]!;
              };
              const prepared = (split: tf.Tensor, name: 'q' | 'k') => {
                const before = headNorm === 'head' ? normed(split, `self_attn.${name}_norm`) : split;
                const rotated = rotation ? rotate(before, rotation.cos, rotation.sin) : before;
                return headNorm === 'rotated head' ? rmsNorm(rotated, epsilon) : rotated;
              };
              return {
                scale,
                window,

                queryKeyValue(x) {
                  const input = normed(x, norms.beforeAttention);
                  const [query, key, value] = isFused
                    ? splitHeads(project(input, 'self_attn.qkv_proj'), [heads, keyValueHeads, keyValueHeads])
                    : [
                        splitProjection(input, 'q', heads),
                        splitProjection(input, 'k', keyValueHeads),
                        splitProjection(input, 'v', keyValueHeads),
                      ];
                  return [prepared(query!, 'q'), prepared(key!, 'k'), value!];
                },

                project: (attended) =>
                  times(normed(project(attended, 'self_attn.o_proj'), norms.afterAttention), multipliers.residual),

                feedForward(x) {
                  const input = normed(x, norms.beforeFeedForward);
                  const expanded = project(input, expand);
                  const [gated, up] = isFused
                    ? (tf.split(expanded, 2, expanded.rank - 1) as [tf.Tensor, tf.Tensor])
                    : [gate && project(input, gate), expanded];
                  const inner = gated ? tf.mul(activate(gated), up) : activate(up);
                  return times(normed(project(inner, contract), norms.afterFeedForward), multipliers.residual);
                },
              };
            },

            finalNorm: (x) => norm(x, 'norm'),
          };
        },

        dispose() {
          for (const table of tables.values()) table.dispose();
        },
      };
    },
  };
}

function times(x: tf.Tensor, factor = 1): tf.Tensor {
  return factor === 1 ? x : tf.mul(x, factor);
}

/** A field that is null means no cap, as in transformers. */
function softCapOf(config: ConfigReader, fallback: number | undefined): number | undefined {
  const value = config.raw('final_logit_softcapping');
  if (value === null || (value === undefined && fallback === undefined)) return undefined;
  return config.number('final_logit_softcapping', fallback);
}
