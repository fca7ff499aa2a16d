import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { described, InputError, InvalidArgumentError } from '@rarefy/core';

/** Converts text to token ids and back. Text never becomes a special token: only {@link Tokenizer.specialId} returns their ids. */
export interface Tokenizer {
  /** Ids are 0 to vocabularySize - 1. */
  readonly vocabularySize: number;
  /**
   * Ids of plain text. The name of a special token inside the text is ordinary text.
   * @param options.isContinued whether other tokens come before the text; default false. Some tokenizers write the first word of
   *   an input in another way than later ones.
   * @throws InvalidArgumentError if `text` is not a string.
   */
  encode(text: string, options?: { readonly isContinued?: boolean }): Int32Array;
  /**
   * Text of ids without special tokens. Bytes that are not valid UTF-8 become U+FFFD.
   * @throws InvalidArgumentError if `ids` is not an array.
   */
  decode(ids: ArrayLike<number>): string;
  /** Id of a special token such as `<|bos|>`; undefined if the tokenizer has no special token of that name. */
  specialId(name: string): number | undefined;
  /** The special tokens by name. A chat template needs them; default: none. */
  readonly specialTokens?: ReadonlyMap<string, SpecialToken>;
  /** What the files of the model say of chats. Default: nothing. */
  readonly chat?: ChatSettings;
  /** Content of the tokenizer.json, for saving it with a model. */
  readonly json: unknown;
}

/** A token that text never becomes. */
export interface SpecialToken {
  readonly id: number;
  /** Whether white space before the token belongs to it. */
  readonly stripsLeft: boolean;
  /** Whether white space after the token belongs to it. */
  readonly stripsRight: boolean;
}

/**
 * What the files of a model say of chats. To save a model with another template, give it the tokenizer
 * `{ ...tokenizer, chat: { ...tokenizer.chat, template } }`.
 */
export interface ChatSettings {
  /** Source of the chat template, in Jinja. Default: the model has none. */
  readonly template?: string;
  /** Content of tokenizer_config.json, whose `bos_token`, `eos_token` and other names a template uses. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Content of generation_config.json, which is saved again with the model. */
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  /** Tokens that end an answer: the `eos_token_id` of generation_config.json and of config.json. Default: none. */
  readonly stopIds?: readonly number[];
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
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
  const specials = new Map(
    specialTokens.map(({ content, id, lstrip = false, rstrip = false }) => [
      content,
      { id, stripsLeft: lstrip, stripsRight: rstrip },
    ]),
  );
  const specialIds = new Set(specialTokens.map(({ id }) => id));
  const vocabularySize = 1 + largest([...Object.values(model.vocab), ...added.map(({ id }) => id)]);
  const template = templateIn(config);
  const marksFirst = JSON.stringify(asRecord(json).pre_tokenizer ?? null).includes('"prepend_scheme":"first"');

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
      added_tokens: [
        ...added.filter(({ content }) => !specials.has(content)),
        ...(marksFirst ? [{ ...plainToken, id: vocabularySize, content: somethingBefore }] : []),
      ],
      model: { ...model, type: 'BPE', vocab: Object.fromEntries(textVocabulary) },
    },
    source,
  );

  return {
    vocabularySize,
    encode(text, { isContinued = false } = {}) {
      if (typeof text !== 'string') throw new InvalidArgumentError(`encode needs a text, got ${described(text)}`);
      const { ids } = library.encode(isContinued && marksFirst ? somethingBefore + text : text);
      return Int32Array.from(marksFirst ? ids.filter((id) => id !== vocabularySize) : ids);
    },
    decode(ids) {
      if (!Array.isArray(ids) && !ArrayBuffer.isView(ids)) {
        throw new InvalidArgumentError(`decode needs an array of token ids, got ${described(ids)}`);
      }
      // A model's vocabulary may be padded beyond that of the tokenizer: ids without a token have no text.
      const known = Array.from(ids).filter(
        (id) => id < vocabularySize && !specialIds.has(id) && library.id_to_token(id) !== undefined,
      );
      return known.length === 0 ? '' : library.decode(known, { clean_up_tokenization_spaces: false });
    },
    specialId: (name) => specials.get(name)?.id,
    specialTokens: specials,
    chat: { config: asRecord(config), ...(template !== undefined && { template }) },
    json,
  };
}

/**
 * An added token of two characters that Unicode keeps out of texts. The library does not mark a text after an added token as the
 * first of its input.
 */
const somethingBefore = '\u{10FFFE}\u{10FFFF}';
const plainToken = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };

/** The chat template in a tokenizer_config.json: a string, or the one named `default` in a list. */
function templateIn(config: unknown): string | undefined {
  const { chat_template: found } = asRecord(config);
  if (!Array.isArray(found)) return typeof found === 'string' ? found : undefined;
  const named = found.map(asRecord).find(({ name }) => name === 'default')?.template;
  return typeof named === 'string' ? named : undefined;
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
