import type { Tokenizer } from '@huggingface/tokenizers';

interface EncodedText {
  /** Token ids, including special tokens. */
  readonly ids: readonly number[];
  /** Whether a part of the text is missing. */
  readonly truncated: boolean;
}

interface TextLimits {
  /** Most tokens of a text, including special tokens. */
  readonly maxTokens: number;
  /** The end where longer texts lose tokens. */
  readonly truncationSide: 'left' | 'right';
}

/**
 * Longer texts are cut before they are tokenized, to bound the time. A token of ordinary text has at most a few dozen characters.
 */
const charactersPerToken = 512;

/**
 * Encodes texts like Python's `tokenizers` with truncation: the special tokens at both ends stay, and tokens between them are
 * removed from texts that are too long.
 */
export function textEncoder(
  tokenizer: Pick<Tokenizer, 'encode'>,
  { maxTokens, truncationSide }: TextLimits,
): { readonly specialTokens: number; readonly encode: (text: string) => EncodedText } {
  // Encoding one token shows how many special tokens come before and after a text.
  const plain = tokenizer.encode('a', { add_special_tokens: false }).ids;
  const framed = tokenizer.encode('a').ids;
  const before = Math.max(0, framed.indexOf(plain[0] ?? -1));
  const after = framed.length - 1 - framed.lastIndexOf(plain.at(-1) ?? -1);
  const maxCharacters = charactersPerToken * maxTokens;

  return {
    specialTokens: before + after,
    encode(text) {
      const isTooLong = text.length > maxCharacters;
      const kept = truncationSide === 'left' ? text.slice(-maxCharacters) : text.slice(0, maxCharacters);
      const { ids } = tokenizer.encode(isTooLong ? kept : text);
      if (ids.length <= maxTokens) return { ids, truncated: isTooLong };
      const head = truncationSide === 'left' ? before : maxTokens - after;
      return { ids: [...ids.slice(0, head), ...ids.slice(ids.length - (maxTokens - head))], truncated: true };
    },
  };
}
