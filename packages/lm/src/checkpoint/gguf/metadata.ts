import { CorruptFileError, InputError } from '@rarefy/core';
import type { ChatSettings } from '../../tokenizer/tokenizer.js';

/** The metadata of a GGUF file, by key. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

/**
 * The config.json of a Llama model that a GGUF file describes.
 * @param vocabularySize rows of its token embedding
 * @throws InputError if the architecture is not llama, rotary positions are scaled, or a size is missing.
 */
export function configFromMetadata(
  metadata: GgufMetadata,
  { vocabularySize, isTied, source }: { vocabularySize: number; isTied: boolean; source: string },
): Record<string, unknown> {
  const architecture = metadata['general.architecture'];
  if (architecture !== 'llama') {
    throw new InputError(
      `${source} has a model of architecture ${JSON.stringify(architecture)}; only llama is supported`,
    );
  }
  const scaling = metadata['llama.rope.scaling.type'];
  if (scaling !== undefined && scaling !== 'none') {
    throw new InputError(`${source} has rotary positions scaled by '${scaling}', which are not supported`);
  }
  const number = (key: string, fallback?: number): number => {
    const value = Number(metadata[`llama.${key}`] ?? fallback);
    if (Number.isFinite(value) && value > 0) return value;
    throw new InputError(`${source}: llama.${key} must be a number > 0, got ${String(metadata[`llama.${key}`])}`);
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

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const afterSplit = { ...byteLevel, use_regex: false };
const llama3Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const llama3 = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: llama3Pattern }, behavior: 'Isolated', invert: false },
    afterSplit,
  ],
};

/** llama.cpp's names of the ways to split a text before byte pairs are merged, and their form in a `tokenizer.json`. */
const preTokenizers: Readonly<Record<string, object>> = {
  'gpt-2': byteLevel,
  smollm: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
  'llama-bpe': llama3,
};

/** Token types in a GGUF file. */
const control = 3;
const userDefined = 4;

/**
 * The tokenizer.json of a byte-level BPE vocabulary in a GGUF file.
 * @throws InputError for another type of vocabulary or an unknown pre-tokenizer; CorruptFileError if its lists do not match.
 */
export function tokenizerFromMetadata(metadata: GgufMetadata, source: string): object {
  const fix = `put the model's tokenizer.json in the same folder`;
  const model = metadata['tokenizer.ggml.model'];
  if (model !== 'gpt2') {
    throw new InputError(
      `${source} has a vocabulary of type ${JSON.stringify(model)}; only byte-level BPE ('gpt2') is supported: ${fix}`,
    );
  }
  const split = String(metadata['tokenizer.ggml.pre']);
  const preTokenizer = Object.hasOwn(preTokenizers, split) ? preTokenizers[split] : undefined;
  if (preTokenizer === undefined) {
    throw new InputError(
      `${source} has the pre-tokenizer '${split}'; only ${Object.keys(preTokenizers).join(', ')} are supported: ${fix}`,
    );
  }
  const tokens = listOf(metadata, 'tokenizer.ggml.tokens', source);
  const types = listOf(metadata, 'tokenizer.ggml.token_type', source);
  const merges = listOf(metadata, 'tokenizer.ggml.merges', source);
  const distinct = new Set(tokens).size;
  if (types.length !== tokens.length || distinct !== tokens.length) {
    throw new CorruptFileError(
      `${source} has ${tokens.length} tokens (${distinct} distinct) and ${types.length} token types; download it again`,
    );
  }
  const added = tokens.flatMap((content, id) => {
    const type = Number(types[id]);
    return type === control || type === userDefined
      ? [{ id, content: String(content), special: type === control }]
      : [];
  });
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [String(token), id])),
      merges: merges.map(String),
    },
  };
}

function listOf(metadata: GgufMetadata, key: string, source: string): readonly unknown[] {
  const list = metadata[key];
  if (!Array.isArray(list)) throw new CorruptFileError(`${source} has no list ${key}; download it again`);
  return list;
}

/** Names in tokenizer_config.json of the special tokens of a GGUF file. */
const tokenNames = { bos_token: 'bos', eos_token: 'eos', unk_token: 'unknown', pad_token: 'padding' };

/** What a GGUF file says of chats: its template, the names of its special tokens and the tokens that end an answer. */
export function chatFromMetadata(metadata: GgufMetadata, beside: ChatSettings = {}): ChatSettings {
  const tokens = metadata['tokenizer.ggml.tokens'];
  const id = (name: string) => {
    const value = metadata[`tokenizer.ggml.${name}_token_id`];
    return value === undefined ? [] : [Number(value)];
  };
  const names = Object.entries(tokenNames).flatMap(([key, name]) =>
    id(name).flatMap((index) =>
      Array.isArray(tokens) && typeof tokens[index] === 'string' ? [[key, tokens[index]]] : [],
    ),
  );
  const template = metadata['tokenizer.chat_template'];
  const stopIds = [...new Set([...(beside.stopIds ?? []), ...id('eos'), ...id('eot')])];
  return {
    ...(typeof template === 'string' && { template }),
    generationConfig: { eos_token_id: stopIds },
    ...beside,
    config: { ...Object.fromEntries(names), ...beside.config },
    stopIds,
  };
}
