import { InputError } from '@rarefy/core';

/** What a GGUF file says of itself, by key. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

/**
 * The config.json of a Llama that a GGUF file describes.
 * @param vocabularySize rows of its token embedding
 * @throws InputError for another architecture, scaled rotary positions, or a size that is missing.
 */
export function configFromMetadata(
  metadata: GgufMetadata,
  { vocabularySize, isTied, source }: { vocabularySize: number; isTied: boolean; source: string },
): Record<string, unknown> {
  const architecture = metadata['general.architecture'];
  if (architecture !== 'llama') {
    throw new InputError(`${source} holds a model of architecture ${JSON.stringify(architecture)}; only llama is read`);
  }
  const scaling = metadata['llama.rope.scaling.type'];
  if (scaling !== undefined && scaling !== 'none') {
    throw new InputError(`${source} has rotary positions scaled by '${scaling}', which are not supported`);
  }
  const number = (key: string, fallback?: number): number => {
    const value = Number(metadata[`llama.${key}`] ?? fallback);
    if (Number.isFinite(value) && value > 0) return value;
    throw new InputError(
      `${source} says ${String(metadata[`llama.${key}`])} for llama.${key}; a number above 0 is due`,
    );
  };
  const heads = number('attention.head_count');
  const hiddenSize = number('embedding_length');
  return {
    model_type: 'llama',
    vocab_size: vocabularySize,
    hidden_size: hiddenSize,
    num_hidden_layers: number('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('attention.head_count_kv', heads),
    head_dim: number('attention.key_length', hiddenSize / heads),
    intermediate_size: number('feed_forward_length'),
    max_position_embeddings: number('context_length'),
    rms_norm_eps: number('attention.layer_norm_rms_epsilon'),
    rope_theta: number('rope.freq_base', 10_000),
    tie_word_embeddings: isTied,
  };
}
