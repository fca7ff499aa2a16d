import { InputError } from '@rarefy/core';
import type { ConfigReader } from './config.js';

/**
 * Fields of config.json that change the arithmetic of some decoder, by the values at which they change nothing. A family reads
 * those that it honors; any other one must have one of these values, or be null. Fields that are neither read nor listed are
 * ignored, as in transformers.
 */
const arithmeticFields: readonly (readonly [neutral: readonly unknown[], fields: string])[] = [
  [[false], 'add_cross_attention alibi attention_bias mlp_bias parallel_attn qk_layernorm rope_interleaved'],
  [
    [false],
    'scale_attn_by_inverse_layer_idx use_bidirectional_attention use_parallel_residual use_qk_norm use_qkv_bias',
  ],
  [[false], 'use_sliding_window'],
  [[true], 'scale_attn_weights'],
  [[1], 'embedding_multiplier logit_scale logits_scaling partial_rotary_factor residual_multiplier rotary_pct'],
  [[0, 1], 'num_experts num_local_experts'],
  [['full_attention'], 'layer_types'],
  [
    [],
    'attention_multiplier attn_logit_softcapping clip_qkv final_logit_softcapping no_rope_layers quantization_config',
  ],
  [[], 'query_pre_attn_scalar rope_local_base_freq rope_parameters rope_scaling sliding_window sliding_window_pattern'],
];
const neutralValues = new Map(
  arithmeticFields.flatMap(([neutral, fields]) => fields.split(' ').map((field) => [field, neutral])),
);

/** The first field that changes the arithmetic and was not read. */
export function unhonoredField(config: ConfigReader): readonly [name: string, value: unknown] | undefined {
  return config.unread().find(([name, value]) => {
    const neutral = neutralValues.get(name);
    return (
      neutral !== undefined && [value].flat().some((entry) => (entry ?? null) !== null && !neutral.includes(entry))
    );
  });
}

/**
 * Types that are not supported: the family nearest to each, and what differs. {@link unknownType} compares weights for any other
 * type.
 */
const nearest: Readonly<Record<string, readonly [family: string, difference: string]>> = {
  apertus: ['llama', 'it has no gate, the activation xIELU, and norms of query and key heads'],
  arcee: ['llama', 'its feed-forward part has no gate and a squared ReLU'],
  bitnet: ['llama', 'its weights are ternary, and it has further norms inside each part'],
  bloom: ['gpt2', 'it has ALiBi in place of positions, and a norm of the embedding'],
  cohere: ['llama', 'attention and feed-forward run in parallel, and rotation takes interleaved pairs'],
  ernie4_5: ['llama', 'rotation takes interleaved pairs'],
  exaone4: ['olmo2', 'it has norms of single heads, and layers without rotation'],
  falcon: ['llama', 'attention and feed-forward run in parallel'],
  gemma: ['gemma3_text', 'it has two norms per layer, and none of heads'],
  gemma2: ['gemma3_text', 'attention scores are soft-capped, and it has no norms of heads'],
  gemma3: ['gemma3_text', 'it contains an image encoder; save its language model alone'],
  glm4: ['gemma3_text', 'rotation takes interleaved pairs of half of each head'],
  gpt_neo: ['gpt2', 'it has separate projections, and windows in every second layer'],
  gpt_neox: ['llama', 'it has layer norm, and attention and feed-forward run in parallel'],
  gpt_oss: ['llama', 'it has experts and attention sinks'],
  gptj: ['gpt2', 'it has rotary positions, and attention and feed-forward run in parallel'],
  helium: ['llama', 'rotation takes interleaved pairs'],
  hunyuan_v1_dense: ['qwen3', 'norms of query and key heads come after the rotation'],
  lfm2: ['qwen3', 'most of its layers are convolutions'],
  mamba: ['llama', 'it is a state space model without attention'],
  ministral: ['mistral', 'only some of its layers have a window'],
  mixtral: ['mistral', 'its feed-forward part has experts'],
  olmo: ['olmo2', 'its norms have no weights, and come before each part'],
  olmo3: ['olmo2', 'most of its layers have a window'],
  opt: ['gpt2', 'it has separate projections, and positions that start at 2'],
  phi: ['phi3', 'it has layer norm, and attention and feed-forward run in parallel'],
  qwen2_moe: ['qwen2', 'its feed-forward part has experts'],
  qwen3_5_text: ['qwen3', 'most of its layers have linear attention'],
  qwen3_moe: ['qwen3', 'its feed-forward part has experts'],
  seed_oss: ['llama', 'it has biases of query, key and value only'],
  stablelm: ['llama', 'it has layer norm, and rotates a quarter of each head'],
  starcoder2: ['llama', 'it has layer norm, and its feed-forward part has no gate'],
};

/** What {@link unknownType} compares: a family's own view of the config, and its weights. */
export interface Candidate {
  readonly family: string;
  /** Names that the family takes and the file lacks. */
  readonly missing: readonly string[];
  /** Names in the file that the family does not take. */
  readonly unexpected: readonly string[];
}

/** The error for a `model_type` that is not supported: names the nearest family and what differs. */
export function unknownType(type: string, families: readonly string[], candidates: readonly Candidate[]): InputError {
  const start = `model_type '${type}' is not supported`;
  const end = `the families are ${families.join(', ')}`;
  const known = Object.hasOwn(nearest, type) ? nearest[type] : undefined;
  if (known) return new InputError(`${start}; the nearest family is ${known[0]}, but ${known[1]}; ${end}`);
  const differences = ({ missing, unexpected }: Candidate) => missing.length + unexpected.length;
  const [best] = candidates.toSorted((a, b) => differences(a) - differences(b));
  if (best === undefined) return new InputError(`${start}; ${end}`);
  const list = (names: readonly string[]) => {
    const distinct = new Set(names.map((name) => name.replace(/\.\d+\./, '.*.')));
    return [...distinct].slice(0, 3).join(', ') + (distinct.size > 3 ? ', …' : '');
  };
  const difference = [
    ...(best.missing.length > 0 ? [`lacks ${list(best.missing)}`] : []),
    ...(best.unexpected.length > 0 ? [`has ${list(best.unexpected)}`] : []),
  ].join(' and ');
  return new InputError(
    `${start}; the nearest family is ${best.family}, ${difference ? `but this model ${difference}` : 'with the same weights, but the arithmetic may differ'}; ${end}`,
  );
}
