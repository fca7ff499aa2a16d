import { InvalidArgumentError } from '@rarefy/core';
import { type Text, tokenLists } from './words.js';

/**
 * Share of texts that contain a word outside `known`, in [0, 1]. NaN without texts. Report it beside every metric of words:
 * garbled answers look diverse.
 *
 * Trap: a new name or a typing error makes a whole text garbled, and a word repeated a hundred times does not. Take `known` from
 * text that the model should be able to write, such as the words of all chosen answers, and look at the share of the start model
 * first.
 * @param known words in the form that {@link words} gives them, or tokens if the texts are tokens
 * @throws InvalidArgumentError if `texts` is not an array of texts or `known` is not a Set.
 */
export function garbledShare(texts: readonly Text[], known: ReadonlySet<string | number>): number {
  if (typeof known?.has !== 'function') throw new InvalidArgumentError('known must be a Set of words');
  const garbled = tokenLists(texts).filter((tokens) => tokens.some((token) => !known.has(token)));
  return garbled.length / texts.length;
}

/**
 * Mean number of words per text. NaN without texts. Report it beside every metric of diversity: most of them change with length.
 * @throws InvalidArgumentError if `texts` is not an array of texts.
 */
export function meanWords(texts: readonly Text[]): number {
  return tokenLists(texts).reduce((sum, tokens) => sum + tokens.length, 0) / texts.length;
}
