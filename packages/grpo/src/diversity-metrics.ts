import { distinctN, emDashPer1000Words, meanWords, vendiScore, words } from '@rarefy/diversity';
import type { StepMetrics } from '@rarefy/training';
import { meanAndDeviation } from './losses/advantages.js';

/**
 * How varied the completions of a step are, in words. `diversity/distinct_1`, `distinct_2`, `em_dash_per_1000_words` and
 * `mean_words` are of all completions together. `group_*` are means over prompts of what the completions of one prompt are like:
 * `group_distinct_2`; `group_unique`, the share of different texts; `group_vendi`, the Vendi score of the cosines between word
 * counts, from 1 to `groupSize`. All but `group_unique` and `group_vendi` change with the length of the completions, which
 * `mean_words` shows. NaN: no text has enough words.
 * @param texts those of the same prompt are adjacent
 */
export function diversityMetrics(texts: readonly string[], groupSize: number): StepMetrics {
  const tokens = texts.map((text) => words(text));
  const starts = Array.from({ length: texts.length / groupSize }, (_, group) => group * groupSize);
  const groupMean = (metric: (start: number, end: number) => number) =>
    meanAndDeviation(Float64Array.from(starts, (start) => metric(start, start + groupSize))).mean;
  return {
    'diversity/distinct_1': distinctN(tokens, 1),
    'diversity/distinct_2': distinctN(tokens, 2),
    'diversity/group_distinct_2': groupMean((start, end) => distinctN(tokens.slice(start, end), 2)),
    'diversity/group_unique': groupMean((start, end) => new Set(texts.slice(start, end)).size / groupSize),
    'diversity/group_vendi': groupMean((start, end) => vendiScore(wordCosines(tokens.slice(start, end)))),
    'diversity/em_dash_per_1000_words': emDashPer1000Words(texts),
    'diversity/mean_words': meanWords(tokens),
  };
}

/** Cosines between the word counts of texts, row-major n x n. Texts without words are equal to each other and to no other text. */
function wordCosines(texts: readonly (readonly string[])[]): Float64Array {
  const n = texts.length;
  const counts = texts.map((text) => {
    const count = new Map<string, number>();
    for (const word of text.length > 0 ? text : ['']) count.set(word, (count.get(word) ?? 0) + 1);
    const norm = Math.hypot(...count.values());
    return { count, norm };
  });
  const cosines = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let product = 0;
      for (const [word, times] of counts[i]!.count) product += times * (counts[j]!.count.get(word) ?? 0);
      cosines[i * n + j] = product / (counts[i]!.norm * counts[j]!.norm);
    }
  }
  return cosines;
}
