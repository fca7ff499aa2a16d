import { InvalidArgumentError } from '@rarefy/core';
import { equalBudgets, type Tokens } from '@rarefy/diversity';
import type { Evaluation } from '../runs/run-record.js';
import {
  type AnsweredPrompt,
  answeredPrompts,
  type GradedAnswer,
  median,
  type StratifiedPrompt,
} from './graded-answers.js';

/** How much text of a stratum enters the measures of words, the same for every evaluation of a comparison. */
export interface StratumBudget {
  /** Words of the first answers to all prompts together; 0 if no evaluation has any. */
  readonly words: number;
  /** What the median evaluation would have: far above `words` if a few terse evaluations cut the others. */
  readonly medianWords: number;
  /** Good answers to all prompts together; 0 if no evaluation has at least {@link fewestGood}. */
  readonly goodAnswers: number;
  /** Words of these. */
  readonly goodWords: number;
}

/** An evaluation with far less text than the others: its measures of words are NaN in this stratum. */
export interface ShortEvaluation {
  /** Index among the evaluations that were given. */
  readonly evaluation: number;
  readonly step: number;
  readonly stratum: string;
  readonly unit: 'words' | 'good answers' | 'words of good answers';
  /** What it has. */
  readonly count: number;
  /** What the median evaluation has. */
  readonly median: number;
}

/** Equal amounts of text for all evaluations of a comparison. */
export interface WordBudgets {
  /** Answers per prompt: the first ones, by index. */
  readonly answers: number;
  readonly strata: Readonly<Record<string, StratumBudget>>;
  /** Distinct words in all evaluations together: the V of `expectation-adjusted-distinct`. */
  readonly vocabularySize: number;
  /** Which evaluations are too short for these budgets. The report must list them. */
  readonly tooShort: readonly ShortEvaluation[];
}

/** With fewer good answers in a stratum, the words of good answers are not measured. */
export const fewestGood = 8;

/** Chooses among the good answers of a stratum, so that all evaluations give equally many. */
const seed = 0;

/**
 * The amounts of text that every evaluation of a comparison can give, per stratum: answers per prompt, words, good answers, and
 * words of these. Give all evaluations that are compared with each other, those of all runs and of the start model. Evaluations
 * with fewer answers per prompt, such as those during training, lower the budget of all: measure curves with a budget of their own.
 *
 * One evaluation that fell silent must not cut all others to nothing. So one with less than a quarter of the median, or fewer than
 * {@link fewestGood} good answers, does not count for the budget: it is in `tooShort`, and its measures of words are NaN there.
 * Deterministic.
 * @param startMedianReward threshold for good answers, the {@link medianReward} of the start model
 * @throws InvalidArgumentError if there is no evaluation, or one does not answer all held-out prompts and no others.
 */
export function wordBudgets(
  evaluations: readonly Evaluation[],
  heldOut: readonly StratifiedPrompt[],
  strata: readonly string[],
  startMedianReward: number,
): WordBudgets {
  if (evaluations.length === 0) throw new InvalidArgumentError('wordBudgets needs at least one evaluation');
  const answers = Math.min(...evaluations.map(fewestAnswers));
  const vocabulary = new Set<string>();
  // Per evaluation and stratum, the lengths of texts only: the texts of many runs would fill the memory.
  const texts = evaluations.map((evaluation) => {
    const prompts = answeredPrompts(evaluation, heldOut, strata, startMedianReward);
    for (const prompt of prompts)
      for (const { words } of prompt.answers) for (const word of words) vocabulary.add(word);
    return strata.map((stratum) => {
      const members = membersOf(prompts, stratum, answers);
      const lengths = (of: readonly GradedAnswer[]) => of.map(({ words }) => words.length);
      return { all: lengths(members), good: lengths(members.filter(({ good }) => good)) };
    });
  });

  const tooShort: ShortEvaluation[] = [];
  const budgets = strata.map((stratum, index): [string, StratumBudget] => {
    const budgetOf = (unit: ShortEvaluation['unit'], counts: readonly number[], fewest: number) => {
      const typical = median(counts.filter((count) => !Number.isNaN(count)));
      const enough = counts.filter((count) => count >= typical / 4 && count >= fewest);
      counts.forEach((count, evaluation) => {
        if (Number.isNaN(count) || (count >= typical / 4 && count >= fewest)) return;
        tooShort.push({ evaluation, step: evaluations[evaluation]!.step, stratum, unit, count, median: typical });
      });
      return { budget: enough.length === 0 ? 0 : Math.min(...enough), median: typical };
    };
    const ofStratum = texts.map((byStratum) => byStratum[index]!);
    const total = budgetOf(
      'words',
      ofStratum.map(({ all }) => sumOf(all)),
      1,
    );
    const good = budgetOf(
      'good answers',
      ofStratum.map((lengths) => lengths.good.length),
      fewestGood,
    );
    const chosenWords = ofStratum.map((lengths) => {
      if (good.budget === 0 || lengths.good.length < good.budget) return Number.NaN;
      const [chosen] = equalBudgets([lengths.good.map((length) => new Int32Array(length))], {
        texts: good.budget,
        seed,
      });
      return wordCount(chosen!);
    });
    const goodWords = good.budget === 0 ? 0 : budgetOf('words of good answers', chosenWords, 1).budget;
    return [stratum, { words: total.budget, medianWords: total.median, goodAnswers: good.budget, goodWords }];
  });
  return { answers, strata: Object.fromEntries(budgets), vocabularySize: vocabulary.size, tooShort };
}

/**
 * The first answers to each prompt of a stratum, in an order that depends neither on the order of the prompts nor on that of the
 * answers to one prompt: the order decides which of two equally long texts loses one more word.
 */
export function membersOf(prompts: readonly AnsweredPrompt[], stratum: string, answers: number): GradedAnswer[] {
  return byId(prompts.filter((prompt) => prompt.stratum === stratum)).flatMap((prompt) =>
    prompt.answers.slice(0, answers).sort((a, b) => compare(a.answer.text, b.answer.text)),
  );
}

/** Sorted by id. */
export function byId(prompts: readonly AnsweredPrompt[]): AnsweredPrompt[] {
  return prompts.slice().sort((a, b) => compare(a.id, b.id));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * `count` of the texts, cut to `words` words in all, as {@link equalBudgets} does.
 * @returns undefined if there are fewer texts or words, or either number is 0
 */
export function atBudget(texts: readonly Tokens[], count: number, words: number): Tokens[] | undefined {
  if (count === 0 || words === 0 || texts.length < count) return undefined;
  const [chosen] = equalBudgets([texts], { texts: count, seed });
  return wordCount(chosen!) < words ? undefined : equalBudgets([chosen!], { words, seed })[0];
}

function wordCount(texts: readonly Tokens[]): number {
  return sumOf(texts.map((tokens) => tokens.length));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function fewestAnswers({ answers }: Evaluation): number {
  const counts = new Map<string, number>();
  for (const { id } of answers) counts.set(id, (counts.get(id) ?? 0) + 1);
  return Math.min(...counts.values());
}
