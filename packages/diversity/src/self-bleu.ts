import { checkInteger, checkOptions } from '@rarefy/core';
import { ngramIds, type Text, tokenLists } from './words.js';

export interface SelfBleuOptions {
  /** Longest n-gram, ≥ 1; default 4. Each length from 1 to `n` has the weight 1 / n. */
  readonly n?: number;
}

/**
 * Self-BLEU: the mean over texts of the BLEU score of each text against all others as references, in [0, 1]. Larger is less
 * diverse. NaN for fewer than two texts. The order of the texts changes nothing but rounding.
 *
 * BLEU of one text is the brevity penalty times the geometric mean of the clipped precisions of 1-grams to n-grams. A precision
 * with no match counts as 0.1 / (number of n-grams, at least 1), smoothing method 1 of Chen and Cherry (2014); a text that shares
 * no word with the others scores 0. The reference length is the nearest one, the shorter of two equally near. All of this equals
 * NLTK's `sentence_bleu` with `SmoothingFunction().method1`.
 *
 * Trap: it rises with the number of texts, so compare equal numbers of texts; values of a few answers to one prompt are noisy.
 * Texts shorter than n words score high on no evidence (0.1 per missing precision). The program that came with the paper takes n
 * = 3 and, in one mode, leaves the text among its own references.
 *
 * Source: Zhu et al., "Texygen: a benchmarking platform for text generation models", SIGIR 2018, arXiv 1802.01886.
 * @throws InvalidArgumentError if an option is unknown, `n` is not an integer ≥ 1, or `texts` is not an array of texts.
 */
export function selfBleu(texts: readonly Text[], options: SelfBleuOptions = {}): number {
  checkOptions(options, ['n'] satisfies (keyof SelfBleuOptions)[], 'selfBleu');
  const { n = 4 } = options;
  checkInteger('n', n, 1);
  const lists = tokenLists(texts);
  const size = lists.length;
  if (size < 2) return Number.NaN;

  const logPrecisions = new Float64Array(size);
  for (let length = 1; length <= n; length++) {
    const precisions = clippedPrecisions(ngramIds(lists, length), length === 1 ? 0 : 0.1);
    for (let text = 0; text < size; text++) logPrecisions[text]! += Math.log(precisions[text]!) / n;
  }
  const lengths = lists.map((list) => list.length);
  let sum = 0;
  for (let text = 0; text < size; text++) {
    if (lengths[text] === 0) continue; // scores 0
    const nearest = nearestOtherLength(lengths, text);
    const brevity = Math.min(1, Math.exp(1 - nearest / lengths[text]!));
    sum += brevity * Math.exp(logPrecisions[text]!);
  }
  return sum / size;
}

/**
 * For each text, the share of its n-grams that occur in another text. An n-gram counts at most as often as in the text, other
 * than this one, that has most of it.
 * @param unmatched stands for the number of matches if there is none
 */
function clippedPrecisions(grams: readonly Int32Array[], unmatched: number): Float64Array {
  const counts = grams.map((ids) => {
    const count = new Map<number, number>();
    for (const id of ids) count.set(id, (count.get(id) ?? 0) + 1);
    return count;
  });
  // The largest count of each n-gram, the text that has it, and the largest count among the other texts.
  const most = new Map<number, { count: number; text: number; next: number }>();
  counts.forEach((count, text) => {
    for (const [id, times] of count) {
      const entry = most.get(id);
      if (entry === undefined) most.set(id, { count: times, text, next: 0 });
      else if (times > entry.count) most.set(id, { count: times, text, next: entry.count });
      else entry.next = Math.max(entry.next, times);
    }
  });
  return Float64Array.from(counts, (count, text) => {
    let matches = 0;
    for (const [id, times] of count) {
      const entry = most.get(id)!;
      matches += Math.min(times, entry.text === text ? entry.next : entry.count);
    }
    return (matches || unmatched) / Math.max(1, grams[text]!.length);
  });
}

function nearestOtherLength(lengths: readonly number[], text: number): number {
  const own = lengths[text]!;
  let nearest = Number.POSITIVE_INFINITY;
  lengths.forEach((length, other) => {
    const closer = Math.abs(length - own) - Math.abs(nearest - own) || length - nearest;
    if (other !== text && closer < 0) nearest = length;
  });
  return nearest;
}
