import { described, InvalidArgumentError } from '@rarefy/core';

/** A text, which {@link words} splits, or its tokens if you have split it: words of another tokenizer, or token ids of a model. */
export type Text = string | readonly (string | number)[] | Int32Array;

/**
 * The words of a text in lower case: runs of Unicode letters, marks and digits. A single apostrophe inside a word belongs to it
 * (don't, l’eau; both forms of the apostrophe count as the same). Everything else separates words. A script without spaces yields
 * one word per run.
 * @throws InvalidArgumentError if `text` is not a string.
 */
export function words(text: string): string[] {
  if (typeof text !== 'string') throw new InvalidArgumentError(`words needs a text, got ${described(text)}`);
  const plain = text.normalize('NFC').replaceAll('’', "'").toLowerCase();
  return plain.match(/[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*/gu) ?? [];
}

/**
 * The tokens of each text.
 * @throws InvalidArgumentError if `texts` is not an array of texts.
 */
export function tokenLists(texts: readonly Text[]): (readonly (string | number)[])[] {
  if (!Array.isArray(texts)) throw new InvalidArgumentError(`texts must be an array, got ${described(texts)}`);
  return texts.map((text: unknown, index) => {
    if (typeof text === 'string') return words(text);
    if (Array.isArray(text) || text instanceof Int32Array) return Array.from(text);
    throw new InvalidArgumentError(`text ${index} is ${described(text)}; expected a string or an array of tokens`);
  });
}

/**
 * The n-grams of each text as integers that are equal for equal n-grams of any text. An n-gram never spans two texts.
 * @param lists tokens of each text
 * @param n tokens per n-gram, ≥ 1
 */
export function ngramIds(lists: readonly (readonly (string | number)[])[], n: number): Int32Array[] {
  const tokenIds = new Map<string | number, number>();
  const tokens = lists.map((list) => Int32Array.from(list, (token) => idOf(tokenIds, token)));
  let grams = tokens;
  for (let length = 2; length <= n; length++) {
    const gramIds = new Map<number, number>(); // an n-gram is its first n - 1 tokens and its last one
    grams = grams.map((prefixes, index) => {
      const last = tokens[index]!.subarray(length - 1);
      return Int32Array.from(last, (token, start) => idOf(gramIds, prefixes[start]! * tokenIds.size + token));
    });
  }
  return grams;
}

function idOf<Key>(ids: Map<Key, number>, key: Key): number {
  let id = ids.get(key);
  if (id === undefined) ids.set(key, (id = ids.size));
  return id;
}
