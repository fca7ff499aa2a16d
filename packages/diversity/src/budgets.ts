import { checkInteger, checkOptions, counterRandom, described, InvalidArgumentError } from '@rarefy/core';
import { type Text, tokenLists } from './words.js';

/** The words or tokens of a text. */
export type Tokens = readonly (string | number)[];

export interface BudgetOptions {
  /** Texts per set, ≥ 1; default: as many as the smallest set has. */
  readonly texts?: number;
  /** Words per set, all texts together, ≥ 1; default: as many as the set with the fewest words has. */
  readonly words?: number;
  /** Chooses the texts. Any safe integer. */
  readonly seed: number;
}

/**
 * Cuts sets of texts to the same number of texts and the same number of words, so that metrics which change with length or number
 * can be compared, for example between the answers of two policies.
 *
 * The seed chooses the texts of a larger set. Sets of equal size keep the texts at the same positions, so answers to the same
 * prompts stay paired. Then the longest texts lose words at their end, until the set has exactly `words` words. The texts that
 * are cut keep equally many; if the numbers do not divide, later or longer ones keep one more. Deterministic.
 *
 * Trap: a set of very short texts shortens all others; the lengths of the result show it.
 * @param sets texts of each set
 * @returns tokens of the texts of each set, in their order, for any metric of this package
 * @throws InvalidArgumentError if a set has fewer texts or words than asked for, or an option is unknown or out of range.
 */
export function equalBudgets(sets: readonly (readonly Text[])[], options: BudgetOptions): Tokens[][] {
  checkOptions(options, ['texts', 'words', 'seed'] satisfies (keyof BudgetOptions)[], 'equalBudgets');
  if (!Array.isArray(sets)) throw new InvalidArgumentError(`sets must be an array, got ${described(sets)}`);
  const random = counterRandom(options.seed);
  const lists = sets.map((set) => tokenLists(set));
  if (lists.length === 0) return [];
  const fewest = least(lists.map((set) => set.length));
  const { texts = fewest } = options;
  checkBudget('texts', texts, fewest);
  const chosen = lists.map((set) => choose(set.length, texts, random.uniform).map((position) => set[position]!));
  return cutToWords(chosen, options.words);
}

/** @param words default: those of the set with the fewest */
function cutToWords(sets: readonly (readonly Tokens[])[], words?: number): Tokens[][] {
  const fewest = least(sets.map((set) => set.reduce((sum, tokens) => sum + tokens.length, 0)));
  const budget = words ?? fewest;
  if (words !== undefined) checkBudget('words', words, fewest);
  return sets.map((set) => {
    const lengths = keptLengths(
      set.map((tokens) => tokens.length),
      budget,
    );
    return set.map((tokens, index) => tokens.slice(0, lengths[index]));
  });
}

function least(values: readonly number[]): number {
  return values.reduce((smallest, value) => Math.min(smallest, value), Number.POSITIVE_INFINITY);
}

function checkBudget(name: string, value: number, fewest: number): void {
  checkInteger(name, value, 1);
  if (value > fewest)
    throw new InvalidArgumentError(`${name} is ${value}, but a set has only ${fewest}; use at most that`);
}

/** `count` of `size` positions in ascending order: those with the smallest random numbers. */
function choose(size: number, count: number, uniform: (index: number) => number): number[] {
  return shuffled(size, uniform)
    .slice(0, count)
    .sort((a, b) => a - b);
}

function shuffled(size: number, uniform: (index: number) => number): number[] {
  const keys = Array.from({ length: size }, (_, index) => uniform(index));
  return keys.map((_, index) => index).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/** Lengths that sum to `budget`, at most the given ones, with the longest ones reduced to equal values. */
function keptLengths(lengths: readonly number[], budget: number): number[] {
  const kept = new Array<number>(lengths.length);
  const ascending = lengths.map((_, index) => index).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  let left = budget;
  ascending.forEach((index, rank) => {
    kept[index] = Math.min(lengths[index]!, Math.floor(left / (lengths.length - rank)));
    left -= kept[index];
  });
  return kept;
}

/** Where a text comes from: answer `answer` to prompt `prompt`, both counted from 0. */
export interface Member {
  readonly prompt: number;
  readonly answer: number;
}

/** Diversity among answers to the same prompt, and among answers to different prompts. */
export interface ScopedDiversity {
  /** Mean of the metric over sets of answers to one prompt. */
  readonly perPrompt: number;
  /** Mean of the metric over sets with one answer to each of several prompts. */
  readonly acrossPrompts: number;
  /** Texts per set. */
  readonly texts: number;
  /** Words per set. */
  readonly words: number;
}

/**
 * A metric per prompt and across prompts at equal budgets. The seed chooses the same number of answers to each prompt and
 * regroups the same answers: once by prompt, once with one answer to each of as many prompts. Every answer is in one set of each
 * kind. All sets are cut to the same number of words, as {@link equalBudgets} does. So the two means differ only by what the
 * prompts contribute. Deterministic.
 *
 * Trap: to compare two policies, give both the same `texts` and `words`: the smaller of what each reports. A collapse of one
 * scope may not show in the other: a policy may answer every prompt in one way, but each in another one. Sampling of prompts
 * should act across prompts first.
 *
 * Source: per-input and across-input diversity of Kirk et al., "Understanding the effects of RLHF on LLM generalisation and
 * diversity", ICLR 2024, arXiv 2310.06452, which compares sets of different sizes.
 * @param groups answers to each prompt: at least two prompts with at least two answers each
 * @param metric called with the tokens of each set, and with where each text comes from, for example to look up its embedding
 * @param options `texts` per set: default as many as the prompts and the answers to each prompt allow
 * @throws InvalidArgumentError if a prompt has fewer than two answers, there are fewer prompts, answers or words than asked for,
 *   or an option is unknown or out of range.
 */
export function diversityByScope(
  groups: readonly (readonly Text[])[],
  metric: (texts: Tokens[], members: readonly Member[]) => number,
  options: BudgetOptions,
): ScopedDiversity {
  checkOptions(options, ['texts', 'words', 'seed'] satisfies (keyof BudgetOptions)[], 'diversityByScope');
  if (!Array.isArray(groups)) throw new InvalidArgumentError(`groups must be an array, got ${described(groups)}`);
  const random = counterRandom(options.seed);
  const lists = groups.map((group) => tokenLists(group));
  const most = least([lists.length, ...lists.map((group) => group.length)]);
  if (most < 2)
    throw new InvalidArgumentError('diversityByScope needs at least two prompts with at least two answers each');
  const { texts = most } = options;
  checkInteger('texts', texts, 2, most);

  const prompts = shuffled(lists.length, random.uniform);
  // Shuffled, so that the number of an answer, which may mean something, does not decide which set it joins.
  const answers = lists.map((group, prompt) => shuffled(group.length, random.fork(prompt).uniform).slice(0, texts));
  const members = (kind: (set: number, index: number) => number) =>
    prompts.map((_, set) =>
      Array.from({ length: texts }, (_, index): Member => {
        const prompt = kind(set, index);
        return { prompt, answer: answers[prompt]![index]! };
      }),
    );
  const byPrompt = members((set) => prompts[set]!);
  const across = members((set, index) => prompts[(set + index) % prompts.length]!);

  const sets = [...byPrompt, ...across];
  const cut = cutToWords(
    sets.map((set) => set.map(({ prompt, answer }) => lists[prompt]![answer]!)),
    options.words,
  );
  const values = cut.map((tokens, set) => metric(tokens, sets[set]!));
  const mean = (part: readonly number[]) => part.reduce((sum, value) => sum + value, 0) / part.length;
  return {
    perPrompt: mean(values.slice(0, byPrompt.length)),
    acrossPrompts: mean(values.slice(byPrompt.length)),
    texts,
    words: cut[0]!.reduce((sum, tokens) => sum + tokens.length, 0),
  };
}
