import { InvalidArgumentError } from '@rarefy/core';
import { words } from './words.js';

/**
 * U+2014, or `--` between two letters, with a space on both sides or on neither. Rules (`---`), comments (`<!--`), options
 * (`run --fast`), ranges (`2--3`) and en dashes do not count.
 */
const emDash = /—|(?<=[\p{L}\p{M}])--(?=\p{L})|(?<=[\p{L}\p{M}] )--(?= \p{L})/gu;

/**
 * English tics of language models, habits of writing, as patterns for {@link ratePer1000Words}:
 *
 * - `emDash`: as {@link emDashPer1000Words} counts them
 * - `notJust`: “not just a tool, but a partner”, “isn't merely fast; it's free”
 * - `eagerOpening`: a text that begins with certainly, sure, of course, absolutely or great question
 * - `excessWords`: forms of delve, underscore and showcase, which are among the excess words of Kobak et al., "Delving into
 *   LLM-assisted writing in biomedical publications through excess vocabulary", Science Advances 2025, arXiv 2406.07016
 */
export const tics = {
  emDash,
  notJust:
    /(?:\bnot|n['’]t) (?:just|only|merely|simply)\b[^.!?\n]{1,120}?(?:\bbut\b|[,;:—] ?(?:it|they|this|that)(?:['’](?:s|re)| is| are)\b)/giu,
  eagerOpening: /^\s*(?:certainly|sure|of course|absolutely|great question)\b/giu,
  excessWords: /\b(?:delv(?:e[sd]?|ing)|underscor(?:e[sd]?|ing)|showcas(?:e[sd]?|ing))\b/giu,
} as const satisfies Record<string, RegExp>;

/**
 * Matches of a pattern per 1,000 words, counted over all texts together. NaN if the texts contain no word.
 *
 * Trap: the rate of a tic is no measure of diversity. It falls both when answers get more varied and when they collapse, and a
 * model that never had the tic cannot lose it: check the rate of the start model first.
 * @param texts strings, because words have lost their punctuation
 * @param pattern counted as if it had the flag g
 * @throws InvalidArgumentError if `texts` is not an array of strings or `pattern` is not a RegExp.
 */
export function ratePer1000Words(texts: readonly string[], pattern: RegExp): number {
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string')) {
    throw new InvalidArgumentError('texts must be an array of strings, because tokens have no punctuation');
  }
  if (!(pattern instanceof RegExp)) throw new InvalidArgumentError(`pattern must be a RegExp, got ${pattern}`);
  const all = pattern.global ? pattern : new RegExp(pattern, `${pattern.flags}g`);
  let matches = 0;
  let total = 0;
  for (const text of texts) {
    matches += text.match(all)?.length ?? 0;
    total += words(text).length;
  }
  return total === 0 ? Number.NaN : (1000 * matches) / total;
}

/**
 * Em dashes per 1,000 words, counted over all texts together. NaN if the texts contain no word. `--` counts as an em dash between
 * two letters, with a space on both sides or on neither.
 *
 * Trap: see {@link ratePer1000Words}. The rate also varies more between training runs than other metrics do.
 * @throws InvalidArgumentError if `texts` is not an array of strings.
 */
export function emDashPer1000Words(texts: readonly string[]): number {
  return ratePer1000Words(texts, emDash);
}
