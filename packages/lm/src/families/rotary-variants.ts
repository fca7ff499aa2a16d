import { InputError } from '@rarefy/core';
import type { ConfigReader } from './config.js';
import type { Family } from './decoder.js';
import { type RotaryVariant, rotaryFamily } from './rotary-family.js';
import { rotaryPositions, rotaryPositionsByLayerType } from './rotary-positions.js';

const llamaVariant: RotaryVariant = {
  family: 'llama',
  defaults: { activation: 'silu', maxPositions: 2048, epsilon: 1e-6, base: 10_000, isTied: false },
  activationField: 'hidden_act',
  normWeights: 'factor',
  norms: { beforeAttention: 'input_layernorm', beforeFeedForward: 'post_attention_layernorm' },
  headNorm: 'none',
  normalizesEmbedding: false,
  rotatesBackward: false,
  isFused: false,
  feedForward: { gate: 'mlp.gate_proj', expand: 'mlp.up_proj', contract: 'mlp.down_proj' },
  hasSoftCap: false,
  hasBias: (config, name) => config.boolean(isAttention(name) ? 'attention_bias' : 'mlp_bias', false),
};

const attentionBias: RotaryVariant['hasBias'] = (config, name) =>
  isAttention(name) && config.boolean('attention_bias', false);

/** Llama (Touvron et al. 2023): weighted RMS norm, gated SiLU. */
const llama = rotaryFamily(llamaVariant);

/** Mistral (Jiang et al. 2023): Llama with a sliding window in every layer. */
const mistral = rotaryFamily({
  ...llamaVariant,
  family: 'mistral',
  defaults: { ...llamaVariant.defaults, maxPositions: 131_072, keyValueHeads: 8 },
  hasBias: () => false,
  plan: everyWindow(4096),
});

/** Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases of query, key and value, and windows in the upper layers. */
const qwen2Variant: RotaryVariant = {
  ...llamaVariant,
  family: 'qwen2',
  defaults: { ...llamaVariant.defaults, maxPositions: 32_768, keyValueHeads: 32 },
  hasBias: (_, name) => /\.[qkv]_proj$/.test(name),
  plan(config, sizes) {
    const angles = rotaryPositions(config, sizes);
    const first = config.number('max_window_layers', 28);
    const isUsed = config.boolean('use_sliding_window', false);
    const window = windowSize(config, 4096);
    const types = layerTypes(config, sizes.layers, (layer) => isUsed && window !== undefined && layer >= first);
    return (layer) => ({ angles, window: isUsed && types(layer) ? window : undefined });
  },
};
const qwen2 = rotaryFamily(qwen2Variant);

/** Qwen3 (Yang et al. 2025): Qwen2 with norms of query and key heads in place of the biases. */
const qwen3 = rotaryFamily({
  ...qwen2Variant,
  family: 'qwen3',
  defaults: { ...qwen2Variant.defaults, headSize: 128 },
  headNorm: 'head',
  hasBias: attentionBias,
});

/** SmolLM3 (Bakouch et al. 2025): Llama without rotation in every fourth layer (Yang et al. 2025, "RoPE to NoPE and back"). */
const smollm3 = rotaryFamily({
  ...llamaVariant,
  family: 'smollm3',
  defaults: { ...llamaVariant.defaults, maxPositions: 32_768, base: 2_000_000, isTied: true, keyValueHeads: 4 },
  plan(config, sizes) {
    const rotary = rotaryPositions(config, sizes);
    const every = config.integer('no_rope_layer_interval', 4);
    const listed = config.raw('no_rope_layers') ?? undefined; // 1: rotates
    if (listed !== undefined && !(Array.isArray(listed) && listed.length >= sizes.layers)) {
      throw new InputError(`config.json: 'no_rope_layers' must list 0 or 1 for each of ${sizes.layers} layers`);
    }
    const rotates = (layer: number) => (listed ? Boolean(listed[layer]) : (layer + 1) % every !== 0);
    const isUsed = config.boolean('use_sliding_window', false);
    const window = windowSize(config);
    const types = layerTypes(config, sizes.layers, (layer) => isUsed && window !== undefined && !rotates(layer));
    return (layer) => ({
      angles: rotates(layer) ? rotary : undefined,
      window: types(layer) ? window : undefined,
    });
  },
});

/** The text model of Gemma 3 (Gemma Team 2025): four norms per layer, and windows with an own rotary base in five of six layers. */
const gemma3 = rotaryFamily({
  ...llamaVariant,
  family: 'gemma3_text',
  defaults: {
    ...{ activation: 'gelu_pytorch_tanh', maxPositions: 131_072, epsilon: 1e-6, base: 1_000_000, isTied: true },
    ...{ keyValueHeads: 4, headSize: 256 },
  },
  activationField: 'hidden_activation',
  normWeights: 'factor - 1',
  norms: {
    beforeAttention: 'input_layernorm',
    afterAttention: 'post_attention_layernorm',
    beforeFeedForward: 'pre_feedforward_layernorm',
    afterFeedForward: 'post_feedforward_layernorm',
  },
  headNorm: 'head',
  hasSoftCap: true,
  hasBias: attentionBias,
  multipliers: (config, hiddenSize) => ({
    embedding: Math.sqrt(hiddenSize),
    attention: 1 / Math.sqrt(config.number('query_pre_attn_scalar', 256)),
  }),
  plan(config, sizes) {
    const angles = rotaryPositionsByLayerType(config, sizes);
    const pattern = config.integer('sliding_window_pattern', config.integer('_sliding_window_pattern', 6));
    const window = windowSize(config, 4096);
    const types = layerTypes(config, sizes.layers, (layer) => (layer + 1) % pattern !== 0);
    return (layer) => (types(layer) ? { angles: angles.sliding, window } : { angles: angles.full });
  },
});

/** OLMo 2 (OLMo Team 2025): norms after each part of a layer, and norms of all query and all key heads together. */
const olmo2 = rotaryFamily({
  ...llamaVariant,
  family: 'olmo2',
  defaults: { ...llamaVariant.defaults, epsilon: 1e-5 },
  norms: { afterAttention: 'post_attention_layernorm', afterFeedForward: 'post_feedforward_layernorm' },
  headNorm: 'all heads',
  hasBias: attentionBias,
});

/** Phi-3 (Abdin et al. 2024): Llama with fused projections, a window in every layer, and heads that may be rotated in part. */
const phi3 = rotaryFamily({
  ...llamaVariant,
  family: 'phi3',
  defaults: { ...llamaVariant.defaults, maxPositions: 4096, epsilon: 1e-5 },
  isFused: true,
  feedForward: { expand: 'mlp.gate_up_proj', contract: 'mlp.down_proj' },
  hasBias: () => false,
  plan: everyWindow(undefined, true),
});

/** Granite 3 (IBM 2024): Llama with factors of embedded tokens, attention scores, residual branches and logits. */
const granite = rotaryFamily({
  ...llamaVariant,
  family: 'granite',
  multipliers: (config) => ({
    embedding: config.number('embedding_multiplier', 1),
    attention: config.number('attention_multiplier', 1),
    residual: config.number('residual_multiplier', 1),
    logits: 1 / config.number('logits_scaling', 1),
  }),
});

/** nanochat (Karpathy 2025) as transformers computes it: RMS norm without weights, squared ReLU, soft-capped logits. */
const nanochat = rotaryFamily({
  ...llamaVariant,
  family: 'nanochat',
  defaults: { ...llamaVariant.defaults, activation: 'relu2', softCap: 15 },
  normWeights: 'none',
  headNorm: 'rotated head',
  normalizesEmbedding: true,
  rotatesBackward: true,
  feedForward: { expand: 'mlp.fc1', contract: 'mlp.fc2' },
  hasSoftCap: true,
  hasBias: attentionBias,
});

/** The families with rotary positions, by their `model_type`. */
export const rotaryFamilies = {
  ...{ llama, mistral, qwen2, qwen3, smollm3, olmo2, phi3, granite, nanochat },
  gemma3_text: gemma3,
} satisfies Record<string, Family>;

function isAttention(projection: string): boolean {
  return projection.startsWith('self_attn.');
}

/** `sliding_window`; null means none. */
function windowSize(config: ConfigReader, fallback?: number): number | undefined {
  const value = config.raw('sliding_window');
  if (value === null || (value === undefined && fallback === undefined)) return undefined;
  return config.integer('sliding_window', fallback);
}

/** The same window in every layer. */
function everyWindow(fallback?: number, canBePartial = false): NonNullable<RotaryVariant['plan']> {
  return (config, sizes) => {
    const plan = { angles: rotaryPositions(config, { ...sizes, canBePartial }), window: windowSize(config, fallback) };
    return () => plan;
  };
}

/** Whether a layer has a window, by `layer_types`, or by `otherwise` where config.json has no such list. */
function layerTypes(
  config: ConfigReader,
  layers: number,
  otherwise: (layer: number) => boolean,
): (layer: number) => boolean {
  const types = config.raw('layer_types') ?? undefined;
  if (types === undefined) return otherwise;
  const isKnown = (type: unknown) => type === 'sliding_attention' || type === 'full_attention';
  if (Array.isArray(types) && types.length >= layers && types.every(isKnown)) {
    return (layer) => types[layer] === 'sliding_attention';
  }
  throw new InputError(
    `config.json: 'layer_types' must be 'full_attention' or 'sliding_attention' for each of ${layers} layers, got ${JSON.stringify(types).slice(0, 100)}`,
  );
}
