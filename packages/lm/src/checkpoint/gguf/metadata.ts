import { InputError } from '@rarefy/core';
import type { GgufMetadata } from '@rarefy/tokenizers';
import { configReader } from '../../families/config.js';
import { rotaryPositions } from '../../families/rotary-positions.js';

/** The architectures that are supported. Their names are the `model_type` of transformers. */
export type GgufArchitecture = 'llama' | 'qwen2' | 'qwen3';
const architectures: readonly GgufArchitecture[] = ['llama', 'qwen2', 'qwen3'];

/** What the config depends on besides the metadata: the tensors of the file. */
interface TensorFacts {
  /** Rows of the token embedding. */
  readonly vocabularySize: number;
  /** Whether the file has no output head. */
  readonly isTied: boolean;
  /** Whether projections of the attention have biases. */
  readonly hasAttentionBias: boolean;
  /** The divisors of the rotary frequencies, if the file has them: [headSize / 2]. */
  readonly frequencyDivisors?: Float32Array | undefined;
}

/** Keys of an architecture that a config takes, and keys that change no number. Any other key may change them. */
const knownKeys = [
  ...['block_count', 'context_length', 'embedding_length', 'feed_forward_length', 'vocab_size', 'pooling_type'],
  ...['attention.head_count', 'attention.head_count_kv', 'attention.key_length', 'attention.value_length'],
  ...['attention.layer_norm_rms_epsilon', 'rope.dimension_count', 'rope.freq_base', 'rope.scaling.type'],
  ...['rope.scaling.factor', 'rope.scaling.original_context_length', 'rope.scaling.finetuned'],
];

/**
 * The config.json of the model that a GGUF file describes.
 * @throws InputError if the architecture or a key is not supported, or a size is missing.
 */
export function configFromMetadata(
  metadata: GgufMetadata,
  { vocabularySize, isTied, hasAttentionBias, frequencyDivisors }: TensorFacts,
  source: string,
): Readonly<Record<string, unknown>> & { readonly model_type: GgufArchitecture } {
  const architecture = metadata['general.architecture'] as GgufArchitecture;
  if (!architectures.includes(architecture)) {
    throw new InputError(
      `${source} has a model of architecture ${JSON.stringify(architecture)}; only ${architectures.join(', ')} are supported`,
    );
  }
  const stored = (key: string) => metadata[`${architecture}.${key}`];
  const unknown = Object.keys(metadata).find(
    (key) =>
      key.startsWith(`${architecture}.`) &&
      !knownKeys.includes(key.slice(architecture.length + 1)) &&
      Number(metadata[key]) !== 0,
  );
  if (unknown !== undefined) {
    throw new InputError(
      `${source}: '${unknown}' is ${String(metadata[unknown])}, which is not honored; the numbers of the model would be wrong`,
    );
  }
  const number = (key: string, fallback?: number): number => {
    const value = Number(stored(key) ?? fallback);
    if (Number.isFinite(value) && value > 0) return value;
    throw new InputError(`${source}: ${architecture}.${key} must be a number > 0, got ${String(stored(key))}`);
  };
  const heads = number('attention.head_count');
  const hiddenSize = number('embedding_length');
  const headSize = number('attention.key_length', hiddenSize / heads);
  for (const key of ['attention.value_length', 'rope.dimension_count']) {
    if (number(key, headSize) === headSize) continue;
    throw new InputError(
      `${source}: ${architecture}.${key} is ${number(key)}, and only the head size ${headSize} is supported`,
    );
  }
  const base = number('rope.freq_base', 10_000);
  const scaling =
    frequencyDivisors === undefined
      ? scalingFromMetadata(String(stored('rope.scaling.type') ?? 'none'), number, source)
      : scalingFromDivisors(frequencyDivisors, { base, headSize, source });
  return {
    model_type: architecture,
    vocab_size: vocabularySize,
    hidden_size: hiddenSize,
    num_hidden_layers: number('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('attention.head_count_kv', heads),
    head_dim: headSize,
    intermediate_size: number('feed_forward_length'),
    max_position_embeddings: number('context_length'),
    rms_norm_eps: number('attention.layer_norm_rms_epsilon'),
    rope_theta: base,
    ...(scaling === undefined ? {} : { rope_scaling: scaling }),
    ...(hasAttentionBias && architecture !== 'qwen2' ? { attention_bias: true } : {}),
    tie_word_embeddings: isTied,
  };
}

/** `rope_scaling` by the keys of a file. */
function scalingFromMetadata(
  type: string,
  number: (key: string) => number,
  source: string,
): Readonly<Record<string, unknown>> | undefined {
  if (type === 'none') return undefined;
  if (type === 'linear') return { rope_type: type, factor: number('rope.scaling.factor') };
  if (type === 'yarn') {
    const original = number('rope.scaling.original_context_length');
    return { rope_type: type, factor: number('rope.scaling.factor'), original_max_position_embeddings: original };
  }
  throw new InputError(`${source} has rotary positions scaled by '${type}'; only linear and yarn are supported`);
}

/**
 * `rope_scaling` of Llama 3.1 and later, whose converter writes a divisor per frequency and not their parameters. All those models
 * have the same parameters but for the factor, which is the largest divisor.
 * @throws InputError if the divisors are not those of these parameters.
 */
function scalingFromDivisors(
  divisors: Float32Array,
  { base, headSize, source }: { readonly base: number; readonly headSize: number; readonly source: string },
): Readonly<Record<string, unknown>> {
  const scaling = {
    rope_type: 'llama3',
    factor: divisors.reduce((most, divisor) => Math.max(most, divisor), 1),
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const angles = (fields: object) =>
    rotaryPositions(configReader({ model_type: 'llama', rope_theta: base, rope_scaling: fields }), {
      ...{ headSize, maxPositions: 8192, base },
    }).frequencies;
  const [scaled, plain] = [angles(scaling), angles({})];
  const isEqual =
    divisors.length === plain.length &&
    plain.every((frequency, i) => {
      const expected = scaled[i]!;
      return Math.abs(frequency / divisors[i]! / expected - 1) < 1e-5;
    });
  if (isEqual) return scaling;
  throw new InputError(`${source} has scaled rotary positions ('rope_freqs.weight') that are not those of Llama 3`);
}
