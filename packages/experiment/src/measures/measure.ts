import { checkInteger, checkOptions, checkShape, InvalidArgumentError, type Matrix, ShapeError } from '@rarefy/core';
import {
  distinctN,
  effectiveNumber,
  embeddingVendiScore,
  emDashPer1000Words,
  expectationAdjustedDistinct,
  expectedDistinct,
  mattr,
  meanPairwiseDistance,
  noveltyUtility,
  selfBleu,
  type Tokens,
  vocabularyRatio,
  words,
} from '@rarefy/diversity';
import { meanOf } from '@rarefy/statistics';
import type { EvaluatedAnswer, Evaluation } from '../runs/run-record.js';
import { type AnsweredPrompt, answeredPrompts, type GradedAnswer, type StratifiedPrompt } from './graded-answers.js';
import { embeddingMeasures, type MeasuredValues, measureCatalog, measureInfo } from './measure-catalog.js';
import { atBudget, byId, membersOf, type WordBudgets } from './word-budgets.js';

export interface MeasureOptions {
  /** The prompts that the evaluation answers. */
  readonly heldOut: readonly StratifiedPrompt[];
  /** Names of the strata. */
  readonly strata: readonly string[];
  /** Threshold for good answers: `medianReward` of the start model. */
  readonly startMedianReward: number;
  /** Answers among which distinct good ones are counted: from 1 to the fewest answers that a prompt has. */
  readonly k: number;
  /** From `wordBudgets` over all evaluations that this one is compared with. */
  readonly budgets: WordBudgets;
  /**
   * One row per answer, in order of the answers, from an embedder that does not drive the sampler. Without it, there is no
   * `vendi-prompt`, `vendi-across`, `embedding-spread` and `good-vendi-prompt`. A row of zeros, such as that of an empty text,
   * counts as equal to other such rows and unlike all others.
   */
  readonly embeddings?: Matrix;
}

const optionNames = [
  'heldOut',
  'strata',
  'startMedianReward',
  'k',
  'budgets',
  'embeddings',
] satisfies (keyof MeasureOptions)[];

/**
 * All measures of an evaluation, by stratum and in total.
 *
 * Within a stratum, a measure of answers is the mean over answers, a measure of prompts the mean over prompts, and a measure of
 * strata one number from the texts of {@link wordBudgets}. `all` is the mean of the strata, each with equal weight, and NaN if that
 * of a stratum is. A value is NaN if nothing defines it: `garbled` and `on-topic` without a judge of them, measures of words where
 * the evaluation has less text than its budget, measures of prompts that less than half of the prompts define. Deterministic; the
 * order of `heldOut` changes nothing but rounding.
 * @returns every measure of the catalog, without those of embeddings if none are given
 * @throws InvalidArgumentError if the evaluation does not answer all held-out prompts and no others, a prompt has fewer answers
 *   than `k` or the budgets, or an option is unknown; ShapeError if `embeddings` has not one row per answer.
 */
export function measure(evaluation: Evaluation, options: MeasureOptions): MeasuredValues {
  const context = contextOf(evaluation, options);
  const names = measureCatalog
    .map((info) => info.name)
    .filter((name) => context.embeddings !== undefined || !embeddingMeasures.includes(name));
  return Object.fromEntries(
    names.map((name) => {
      const values = context.strata.map((stratum) => stratumValue(name, stratum));
      const byStratum = context.strata.map((stratum, index): [string, number] => [stratum.name, values[index]!]);
      return [name, Object.fromEntries([...byStratum, ['all', meanOf(values)]])];
    }),
  );
}

/**
 * A measure of prompts, or the mean of a measure of answers, for each prompt: for bootstraps and variance components.
 * @returns in order of `heldOut`; NaN where the answers to a prompt do not define it
 * @throws InvalidArgumentError as {@link measure}, if there is no such measure, if it is a measure of strata, which has no value
 *   per prompt, or if it needs `embeddings` and there are none.
 */
export function perPromptValues(evaluation: Evaluation, name: string, options: MeasureOptions): Float64Array {
  if (measureInfo(name).scope === 'stratum') {
    throw new InvalidArgumentError(`${name} is computed from all answers of a stratum, so it has no value per prompt`);
  }
  const { prompts, strata, embeddings } = contextOf(evaluation, options);
  if (embeddings === undefined && embeddingMeasures.includes(name)) {
    throw new InvalidArgumentError(`${name} needs \`embeddings\`, one row per answer`);
  }
  const values = new Map<string, number>();
  for (const stratum of strata) {
    for (const prompt of stratum.prompts) values.set(prompt.id, promptValue(name, prompt, stratum));
  }
  return Float64Array.from(prompts, ({ id }) => values.get(id)!);
}

/** A tenth of the held-out prompts. */
export interface DecileValue {
  readonly prompts: number;
  /** Over the prompts that define the measure; NaN if none does. */
  readonly mean: number;
}

/**
 * A measure of prompts or answers by tenths of the held-out prompts, the rarest tenth first. Every prompt is in one tenth, and
 * their sizes differ by at most one. Equally dense prompts are ordered by id.
 * @param heldOutDensity one per prompt of `heldOut`
 * @throws as {@link perPromptValues}; ShapeError if there is not one density per prompt.
 */
export function measureByDensityDecile(
  evaluation: Evaluation,
  name: string,
  heldOutDensity: ArrayLike<number>,
  options: MeasureOptions,
): DecileValue[] {
  const { heldOut } = options;
  if (heldOutDensity.length !== heldOut.length) {
    throw new ShapeError(`got ${heldOutDensity.length} densities for ${heldOut.length} held-out prompts`);
  }
  const values = perPromptValues(evaluation, name, options);
  const rarestFirst = heldOut
    .map(({ id }, prompt) => ({ id, density: heldOutDensity[prompt]!, value: values[prompt]! }))
    .sort((a, b) => a.density - b.density || (a.id < b.id ? -1 : 1));
  return Array.from({ length: 10 }, (_, decile) => {
    const start = Math.floor((decile * heldOut.length) / 10);
    const members = rarestFirst.slice(start, Math.floor(((decile + 1) * heldOut.length) / 10));
    return { prompts: members.length, mean: meanOfDefined(members.map(({ value }) => value)) };
  });
}

interface Stratum {
  readonly name: string;
  /** By id. */
  readonly prompts: readonly AnsweredPrompt[];
  readonly context: Context;
  /** The first answers to all prompts. */
  readonly members: readonly GradedAnswer[];
  /** Words of `members` at the budget, by row. Undefined if there are too few. */
  readonly cut: ReadonlyMap<number, Tokens> | undefined;
  /** Words of good answers at their budget. Undefined if there are too few. */
  readonly good: readonly Tokens[] | undefined;
}

interface Context extends Omit<MeasureOptions, 'strata'> {
  /** In order of `heldOut`. */
  readonly prompts: readonly AnsweredPrompt[];
}

function contextOf(evaluation: Evaluation, options: MeasureOptions) {
  const { heldOut, strata, startMedianReward, k, budgets, embeddings } = checkOptions(options, optionNames, 'measure');
  if (embeddings !== undefined) {
    checkShape(embeddings, 'embeddings');
    if (embeddings.rows !== evaluation.answers.length) {
      throw new ShapeError(`embeddings has ${embeddings.rows} rows for ${evaluation.answers.length} answers`);
    }
  }
  const prompts = answeredPrompts(evaluation, heldOut, strata, startMedianReward);
  const fewest = Math.min(...prompts.map(({ answers }) => answers.length));
  checkInteger('k', k, 1, fewest);
  if (fewest < budgets.answers) {
    throw new InvalidArgumentError(
      `the budgets have ${budgets.answers} answers per prompt, but a prompt has ${fewest}; make budgets for these evaluations`,
    );
  }
  const context: Context = { ...options, prompts };
  return { ...context, strata: strata.map((name) => stratumOf(name, context)) };
}

function stratumOf(name: string, context: Context): Stratum {
  const { answers, strata } = context.budgets;
  const members = membersOf(context.prompts, name, answers);
  const budget = strata[name];
  if (budget === undefined) throw new InvalidArgumentError(`the budgets have no stratum "${name}"`);
  // Numbers in place of words: several measures look each word up many times.
  const ids = new Map<string, number>();
  const idOf = (word: string) => ids.get(word) ?? ids.set(word, ids.size).size - 1;
  const texts = members.map((member) => member.words.map(idOf));
  const goodTexts = texts.filter((_, index) => members[index]!.good);
  const cut = atBudget(texts, members.length, budget.words);
  return {
    name,
    prompts: byId(context.prompts.filter(({ stratum }) => stratum === name)),
    context,
    members,
    cut: cut && new Map(cut.map((tokens, index) => [members[index]!.row, tokens])),
    good: atBudget(goodTexts, budget.goodAnswers, budget.goodWords),
  };
}

function stratumValue(name: string, stratum: Stratum): number {
  const { prompts } = stratum;
  if (prompts.length === 0) return Number.NaN;
  const ofAnswer = answerMeasures[name];
  if (ofAnswer !== undefined) {
    return meanOfDefined(prompts.flatMap(({ answers }) => answers.map((answer) => ofAnswer(answer))));
  }
  if (stratumMeasures[name] !== undefined) return stratumMeasures[name](stratum);
  const values = prompts.map((prompt) => promptValue(name, prompt, stratum));
  const defined = values.filter((value) => !Number.isNaN(value)).length;
  return 2 * defined < values.length ? Number.NaN : meanOfDefined(values);
}

function promptValue(name: string, prompt: AnsweredPrompt, stratum: Stratum): number {
  const ofAnswer = answerMeasures[name];
  return ofAnswer === undefined
    ? promptMeasures[name]!(prompt, stratum)
    : meanOfDefined(prompt.answers.map((answer) => ofAnswer(answer)));
}

const share = (value: boolean | undefined) => (value === undefined ? Number.NaN : Number(value));
const ofRecord = (value: (answer: EvaluatedAnswer) => number) => (graded: GradedAnswer) => value(graded.answer);

const answerMeasures: Readonly<Record<string, (answer: GradedAnswer) => number>> = {
  good: ({ good }) => Number(good),
  'on-topic': ofRecord(({ onTopic }) => share(onTopic)),
  garbled: ofRecord(({ garbled }) => share(garbled)),
  reward: ofRecord(({ reward }) => reward),
  kl: ofRecord(({ logProbability, startLogProbability }) => logProbability - startLogProbability),
  entropy: ofRecord(({ logProbability }) => -logProbability),
  words: (answer) => answer.words.length,
  terminated: ofRecord(({ terminated }) => Number(terminated)),
};

const promptMeasures: Readonly<Record<string, (prompt: AnsweredPrompt, stratum: Stratum) => number>> = {
  'distinct-good': ({ answers }, { context: { k } }) =>
    expectedDistinct(
      answers.map((answer) => answer.class),
      k,
      answers.map(({ good }) => good),
    ),
  'novelty-utility': ({ answers }, stratum) => {
    const first = answers.slice(0, stratum.context.budgets.answers);
    return noveltyUtility(
      first.map((answer) => answer.class),
      first.map(({ good }) => Number(good)),
    );
  },
  'self-bleu-prompt': ({ answers }, { cut, context: { budgets } }) =>
    cut === undefined ? Number.NaN : selfBleu(answers.slice(0, budgets.answers).map(({ row }) => cut.get(row)!)),
  'vendi-prompt': ({ answers }, { context: { budgets, embeddings } }) =>
    embeddingVendiScore(rowsOf(embeddings!, answers.slice(0, budgets.answers))),
  'good-vendi-prompt': ({ answers }, { context: { embeddings } }) => vendiOfPairs(rowsOf(embeddings!, goodOf(answers))),
};

/** Sets over which self-BLEU and Vendi across prompts are averaged. More would take most of the time of all measures. */
const setsAcross = 4;

const stratumMeasures: Readonly<Record<string, (stratum: Stratum) => number>> = {
  'distinct-2': ofTexts(({ cut }) => distinctN(cut, 2)),
  'vocabulary-ratio': ofTexts(({ cut }) => vocabularyRatio(cut)),
  'expectation-adjusted-distinct': ofTexts(({ cut, stratum }) =>
    expectationAdjustedDistinct(cut, stratum.context.budgets.vocabularySize),
  ),
  mattr: ofTexts(({ stratum }) =>
    mattr(
      acrossSets(stratum).flatMap((set) => set.map(({ row }) => stratum.cut!.get(row)!)),
      { acrossTexts: true },
    ),
  ),
  'em-dashes': ofTexts(({ stratum: { members, cut } }) =>
    emDashPer1000Words(members.map((member) => beginning(member, cut!.get(member.row)!.length))),
  ),
  'self-bleu-across': ofTexts(({ stratum }) =>
    meanOf(acrossSets(stratum, setsAcross).map((set) => selfBleu(set.map(({ row }) => stratum.cut!.get(row)!)))),
  ),
  'vendi-across': (stratum) =>
    meanOf(acrossSets(stratum, setsAcross).map((set) => embeddingVendiScore(rowsOf(stratum.context.embeddings!, set)))),
  'embedding-spread': ({ members, context }) => meanPairwiseDistance(rowsOf(context.embeddings!, members)),
  'good-distinct-2': ({ good }) => (good === undefined ? Number.NaN : distinctN(good, 2)),
  'good-vocabulary-ratio': ({ good }) => (good === undefined ? Number.NaN : vocabularyRatio(good)),
};

function ofTexts(value: (texts: { readonly cut: Tokens[]; readonly stratum: Stratum }) => number) {
  return (stratum: Stratum) =>
    stratum.cut === undefined ? Number.NaN : value({ cut: [...stratum.cut.values()], stratum });
}

/** Sets of one answer to each prompt: first the first answers, then the second ones, and so on. */
function acrossSets({ prompts, context }: Stratum, most = context.budgets.answers): GradedAnswer[][] {
  const sets = Math.min(most, context.budgets.answers);
  return Array.from({ length: sets }, (_, index) => prompts.map(({ answers }) => answers[index]!));
}

function goodOf(answers: readonly GradedAnswer[]): GradedAnswer[] {
  return answers.filter(({ good }) => good);
}

/** Embeddings of these answers, with one more column, which is 1 where all others are 0. */
function rowsOf({ data, cols }: Matrix, answers: readonly GradedAnswer[]): Matrix {
  const rows = new Float32Array(answers.length * (cols + 1));
  answers.forEach(({ row }, index) => {
    const values = data.subarray(row * cols, (row + 1) * cols);
    rows.set(values, index * (cols + 1));
    rows[index * (cols + 1) + cols] = Number(values.every((value) => value === 0));
  });
  return { data: rows, rows: answers.length, cols: cols + 1 };
}

/** Mean Vendi score over all pairs of rows, in [1, 2]. NaN for fewer than two rows. */
function vendiOfPairs({ data, rows, cols }: Matrix): number {
  const product = (a: number, b: number) => {
    let sum = 0;
    for (let column = 0; column < cols; column++) sum += data[a * cols + column]! * data[b * cols + column]!;
    return sum;
  };
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < i; j++) {
      const cosine = product(i, j) / Math.sqrt(product(i, i) * product(j, j));
      const part = Math.max(-1, Math.min(1, cosine)) / 2; // the eigenvalues of [[1, c], [c, 1]] / 2 are (1 + c) / 2 and (1 - c) / 2
      sum += effectiveNumber([0.5 + part, 0.5 - part]);
    }
  }
  return (2 * sum) / (rows * (rows - 1));
}

/** The text up to the word after these many, or all of it. */
function beginning({ answer: { text }, words: all }: GradedAnswer, count: number): string {
  let low = 0;
  let high = text.length;
  while (low < high && count < all.length) {
    const middle = Math.ceil((low + high) / 2);
    if (words(text.slice(0, middle)).length <= count) low = middle;
    else high = middle - 1;
  }
  return text.slice(0, high);
}

function meanOfDefined(values: readonly number[]): number {
  return meanOf(values.filter((value) => !Number.isNaN(value)));
}
