import { CorruptFileError, InputError } from '@rarefy/core';
import type { ChatSettings } from './tokenizer.js';

/** The metadata of a GGUF file, by key. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

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
export function tokenizerJsonFromGguf(metadata: GgufMetadata, source: string): object {
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
export function chatSettingsFromGguf(metadata: GgufMetadata, beside: ChatSettings = {}): ChatSettings {
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
