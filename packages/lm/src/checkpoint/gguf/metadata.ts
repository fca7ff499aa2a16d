import { CorruptFileError, InputError } from '@rarefy/core';
import { configReader } from '../../families/config.js';
import { rotaryPositions } from '../../families/rotary-positions.js';
import type { ChatSettings } from '../../tokenizer/tokenizer.js';

/** The metadata of a GGUF file, by key. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

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

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const afterSplit = { ...byteLevel, use_regex: false };
/** The pattern that Llama 3 and Qwen share, but for the number of digits that stay together. */
const splitBy = (digits: string) => ({
  type: 'Sequence',
  pretokenizers: [
    {
      type: 'Split',
      pattern: {
        Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
      },
      behavior: 'Isolated',
      invert: false,
    },
    afterSplit,
  ],
});

/** A way to split a text before byte pairs are merged, as a `tokenizer.json` has it. */
interface Splitting {
  readonly preTokenizer: object;
  readonly normalizer?: object;
  /** Whether a piece that is a token is not built from merges. */
  readonly ignoresMerges?: boolean;
}

/** The ways to split by llama.cpp's names. */
const splittings: Readonly<Record<string, Splitting>> = {
  'gpt-2': { preTokenizer: byteLevel },
  smollm: {
    preTokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
  },
  'llama-bpe': { preTokenizer: splitBy('\\p{N}{1,3}'), ignoresMerges: true },
  qwen2: { preTokenizer: splitBy('\\p{N}'), normalizer: { type: 'NFC' } },
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
  const splitting = Object.hasOwn(splittings, split) ? splittings[split] : undefined;
  if (splitting === undefined) {
    throw new InputError(
      `${source} has the pre-tokenizer '${split}'; only ${Object.keys(splittings).join(', ')} are supported: ${fix}`,
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
    normalizer: splitting.normalizer ?? null,
    pre_tokenizer: splitting.preTokenizer,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [String(token), id])),
      merges: merges.map(String),
      ignore_merges: splitting.ignoresMerges ?? false,
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
