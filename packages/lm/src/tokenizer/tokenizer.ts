import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { InputError } from '@rarefy/core';

/** Converts text to token ids and back. Text never becomes a special token: only {@link Tokenizer.specialId} returns their ids. */
export interface Tokenizer {
  /** Ids are 0 to vocabularySize - 1. */
  readonly vocabularySize: number;
  /** Ids of plain text. The name of a special token inside the text is ordinary text. */
  encode(text: string): Int32Array;
  /** Text of ids without special tokens. Bytes that are not valid UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>): string;
  /** Id of a special token such as `<|bos|>`; undefined if the tokenizer has no special token of that name. */
  specialId(name: string): number | undefined;
  /** Content of the tokenizer.json, for saving it with a model. */
  readonly json: unknown;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
}

interface TokenizerJson {
  readonly added_tokens: readonly AddedToken[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly unknown[];
    readonly unk_token?: string | null;
  };
}

/** The used part of the library, whose own types do not resolve under NodeNext. */
interface Library {
  encode(text: string): { readonly ids: number[] };
  decode(ids: readonly number[], options: { readonly clean_up_tokenization_spaces: boolean }): string;
  id_to_token(id: number): string | undefined;
}

/**
 * Builds a tokenizer from the content of a `tokenizer.json` with byte-pair encoding, as all built-in families use
 * it. Special tokens are the added tokens marked `special` and those named in `config`. `encode` adds no token before or
 * after a text.
 * @param config content of a `tokenizer_config.json`
 * @param source where the content comes from, for messages
 * @throws InputError if `json` is not a byte-pair-encoding tokenizer.
 */
export function tokenizerFromJson(json: unknown, config: unknown = {}, source = 'the tokenizer'): Tokenizer {
  const { added_tokens: added, model } = checked(json, source);
  const named = tokensNamedIn(config);
  const specialTokens = added.filter(({ content, special }) => special || named.has(content));
  const specials = new Map(specialTokens.map(({ content, id }) => [content, id]));
  const specialIds = new Set(specials.values());

  // The library cannot turn text into tokens that its vocabulary lacks. The unknown token stays: it encodes text.
  const textVocabulary = Object.entries(model.vocab).filter(
    ([token]) => !specials.has(token) || token === model.unk_token,
  );
  const library = build(
    {
      normalizer: null,
      pre_tokenizer: null,
      decoder: null,
      ...(json as object),
      post_processor: null,
      added_tokens: added.filter(({ content }) => !specials.has(content)),
      model: { ...model, type: 'BPE', vocab: Object.fromEntries(textVocabulary) },
    },
    source,
  );

  return {
    vocabularySize: 1 + largest([...Object.values(model.vocab), ...added.map(({ id }) => id)]),
    encode: (text) => Int32Array.from(library.encode(text).ids),
    decode(ids) {
      // A model's vocabulary may be padded beyond that of the tokenizer: ids without a token have no text.
      const known = Array.from(ids).filter((id) => !specialIds.has(id) && library.id_to_token(id) !== undefined);
      return known.length === 0 ? '' : library.decode(known, { clean_up_tokenization_spaces: false });
    },
    specialId: (name) => specials.get(name),
    json,
  };
}

function build(json: object, source: string): Library {
  try {
    return new HuggingFaceTokenizer(json, {});
  } catch (cause) {
    throw new InputError(`${source} has a part that is not supported: ${(cause as Error).message}`, { cause });
  }
}

function checked(json: unknown, source: string): TokenizerJson {
  const { added_tokens: added = [], model } = asRecord(json);
  const { type = 'BPE', vocab, merges } = asRecord(model);
  if (type !== 'BPE') {
    throw new InputError(`${source} is of type ${String(type)}; Rarefy's language models use byte-pair encoding (BPE)`);
  }
  const ids = Object.values(asRecord(vocab));
  if (ids.length === 0 || !ids.every(isId) || !Array.isArray(merges)) {
    throw new InputError(
      `${source} has no vocabulary of token ids with merges; is it the content of a tokenizer.json?`,
    );
  }
  if (!Array.isArray(added) || !added.every((token) => isId(token?.id) && typeof token.content === 'string')) {
    throw new InputError(`${source} has added_tokens that are not a list of tokens with id and content`);
  }
  return { added_tokens: added, model: model as TokenizerJson['model'] };
}

/** The special tokens of a config: fields such as `eos_token` (a string or an object with `content`) and the additional ones. */
function tokensNamedIn(config: unknown): Set<string> {
  const names = new Set<string>();
  for (const [key, value] of Object.entries(asRecord(config))) {
    if (!key.endsWith('_token') && key !== 'additional_special_tokens') continue;
    for (const token of Array.isArray(value) ? value : [value]) {
      const name: unknown = typeof token === 'string' ? token : asRecord(token).content;
      if (typeof name === 'string' && name !== '') names.add(name);
    }
  }
  return names;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

function largest(ids: readonly number[]): number {
  return ids.reduce((most, id) => Math.max(most, id), -1);
}
