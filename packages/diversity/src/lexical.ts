import { checkInteger, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { classCounts, entropy } from './classes.js';
import { ngramIds, type Text, tokenLists } from './words.js';

/**
 * Type-token ratio: distinct words / all words, counted over all texts together, in (0, 1]. NaN if the texts contain no word.
 *
 * Trap: the ratio falls as texts grow, and rises when answers fall apart into words that do not exist. Compare equal amounts of
 * text ({@link equalBudgets}), and report {@link mattr} and {@link garbledShare} beside it.
 * @throws InvalidArgumentError if `texts` is not an array of texts.
 */
export function vocabularyRatio(texts: readonly Text[]): number {
  return distinctN(texts, 1);
}

/**
 * Distinct-n: distinct word n-grams / all word n-grams, counted over all texts together, in (0, 1]. An n-gram never spans two
 * texts. NaN if no text has n words.
 *
 * Trap: like {@link vocabularyRatio}, it falls as texts grow and rises with garbled text. Published variants differ: some average
 * n = 1 to 5, some sum over n, and some let n-grams span two texts.
 *
 * Source: Li et al., "A diversity-promoting objective function for neural conversation models", NAACL 2016, arXiv 1510.03055.
 * @param n words per n-gram, ≥ 1
 * @throws InvalidArgumentError if `n` is not an integer ≥ 1 or `texts` is not an array of texts.
 */
export function distinctN(texts: readonly Text[], n: number): number {
  checkInteger('n', n, 1);
  const distinct = new Set<number>();
  let total = 0;
  for (const grams of ngramIds(tokenLists(texts), n)) {
    for (const gram of grams) distinct.add(gram);
    total += grams.length;
  }
  return distinct.size / total;
}

/**
 * Expectation-adjusted distinct (EAD): distinct words / the number of distinct words expected if each word were drawn uniformly
 * from a vocabulary of V words, V (1 - (1 - 1/V)^C) for C words. Larger than 0; about 1 for uniform draws. NaN if the texts
 * contain no word.
 *
 * Trap: V decides the result, so use one V for all arms: the largest vocabulary of their tokenizers. Words of natural text are
 * far from uniform, so some dependence on length remains, and the adjustment can reverse its direction. Defined for single words
 * only: with n-grams and a vocabulary of words, as some programs compute it, values exceed 1.
 *
 * Source: Liu et al., "Rethinking and refining the distinct metric", ACL 2022, arXiv 2202.13587.
 * @param vocabularySize V, at least the number of distinct words in `texts`
 * @throws InvalidArgumentError if `vocabularySize` is not such an integer or `texts` is not an array of texts.
 */
export function expectationAdjustedDistinct(texts: readonly Text[], vocabularySize: number): number {
  const tokens = tokenLists(texts).flat();
  const distinct = new Set(tokens).size;
  checkInteger('vocabularySize', vocabularySize, Math.max(1, distinct));
  // expm1 and log1p keep all digits of 1 - (1 - 1/V)^C for large V
  return distinct / (vocabularySize * -Math.expm1(tokens.length * Math.log1p(-1 / vocabularySize)));
}

/**
 * N-gram entropy (Ent-n): Shannon entropy, in nats, of the distribution of word n-grams over all texts together. Between 0 and
 * the logarithm of the number of n-grams. NaN if no text has n words. Its exponential is the effective number of n-grams.
 *
 * Trap: it grows with the amount of text, because the logarithm of the number of n-grams bounds it. Compare equal amounts of
 * text.
 *
 * Source: Zhang et al., "Generating informative and diverse conversational responses via adversarial information maximization",
 * NeurIPS 2018, arXiv 1809.05972.
 * @param n words per n-gram, ≥ 1
 * @throws InvalidArgumentError if `n` is not an integer ≥ 1 or `texts` is not an array of texts.
 */
export function ngramEntropy(texts: readonly Text[], n: number): number {
  checkInteger('n', n, 1);
  const counts = classCounts(ngramIds(tokenLists(texts), n).flatMap((grams) => Array.from(grams)));
  return counts.length === 0 ? Number.NaN : entropy(counts);
}

export interface MattrOptions {
  /** Words per window, ≥ 1; default 50. */
  readonly window?: number;
  /**
   * Whether windows may span texts. By default they stay inside one text and measure how much each answer repeats itself. If
   * true, all texts form one sequence in the given order, and windows also measure how much consecutive texts repeat each other;
   * the order of the texts then changes the result.
   */
  readonly acrossTexts?: boolean;
}

/**
 * Moving-average type-token ratio: the mean of distinct words / words over all windows of a fixed number of words, in (0, 1]. NaN
 * if there is no window because every text is shorter.
 *
 * Trap: it does not fall as texts grow, but texts shorter than the window do not count at all, and it often varies far less than
 * distinct-n between the same models. Values for different windows cannot be compared.
 *
 * Source: Covington and McFall, "Cutting the Gordian knot: the moving-average type-token ratio (MATTR)", Journal of Quantitative
 * Linguistics 17, 2010.
 * @throws InvalidArgumentError if an option is unknown, `window` is not an integer ≥ 1, or `texts` is not an array of texts.
 */
export function mattr(texts: readonly Text[], options: MattrOptions = {}): number {
  checkOptions(options, ['window', 'acrossTexts'] satisfies (keyof MattrOptions)[], 'mattr');
  const { window = 50, acrossTexts = false } = options;
  checkInteger('window', window, 1);
  if (typeof acrossTexts !== 'boolean') {
    throw new InvalidArgumentError(`acrossTexts must be true or false, got ${acrossTexts}`);
  }
  const lists = tokenLists(texts);
  let distinctSum = 0; // an integer, so the order of texts changes nothing
  let windows = 0;
  for (const tokens of acrossTexts ? [lists.flat()] : lists) {
    const counts = new Map<string | number, number>();
    tokens.forEach((token, index) => {
      counts.set(token, (counts.get(token) ?? 0) + 1);
      if (index >= window) {
        const leaving = tokens[index - window]!;
        const left = counts.get(leaving)! - 1;
        if (left === 0) counts.delete(leaving);
        else counts.set(leaving, left);
      }
      if (index >= window - 1) {
        distinctSum += counts.size;
        windows++;
      }
    });
  }
  return distinctSum / window / windows;
}
