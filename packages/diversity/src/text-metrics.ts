import { checkInteger } from '@rarefy/core';

/**
 * The words of a text in lower case: runs of Unicode letters, marks and digits. A single apostrophe inside a word belongs to it
 * (don't, l’eau; both forms of the apostrophe count as the same). Everything else separates words. A script without spaces
 * yields one word per run.
 */
export function words(text: string): string[] {
  const plain = text.normalize('NFC').replaceAll('’', "'").toLowerCase();
  return plain.match(/[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*/gu) ?? [];
}

/**
 * Type-token ratio: distinct words / all words, counted over all texts together, in (0, 1]. NaN if the texts contain no word.
 * The ratio falls as texts grow, so compare only equal amounts of text.
 */
export function vocabularyRatio(texts: readonly string[]): number {
  return distinctN(texts, 1);
}

/**
 * Distinct-n (Li et al. 2016, "A diversity-promoting objective function"): distinct word n-grams / all word n-grams, counted
 * over all texts together, in (0, 1]. An n-gram never spans two texts. NaN if no text has n words.
 * The ratio falls as texts grow, so compare only equal amounts of text.
 * @param n words per n-gram, ≥ 1
 * @throws InvalidArgumentError if `n` is not an integer ≥ 1.
 */
export function distinctN(texts: readonly string[], n: number): number {
  checkInteger('n', n, 1);
  const distinct = new Set<string>();
  let total = 0;
  for (const text of texts) {
    const tokens = words(text);
    for (let start = 0; start + n <= tokens.length; start++) {
      distinct.add(tokens.slice(start, start + n).join(' ')); // unambiguous: words contain no spaces
      total++;
    }
  }
  return distinct.size / total;
}

/**
 * U+2014, or `--` between two letters, with a space on both sides or on neither. Rules (`---`), comments (`<!--`), options
 * (`run --fast`), ranges (`2--3`) and en dashes do not count.
 */
const emDash = /—|(?<=[\p{L}\p{M}])--(?=\p{L})|(?<=[\p{L}\p{M}] )--(?= \p{L})/gu;

/** Em dashes per 1,000 words, counted over all texts together. NaN if the texts contain no word. */
export function emDashPer1000Words(texts: readonly string[]): number {
  let dashes = 0;
  let total = 0;
  for (const text of texts) {
    dashes += text.match(emDash)?.length ?? 0;
    total += words(text).length;
  }
  return total === 0 ? Number.NaN : (1000 * dashes) / total;
}
