import type { Matrix } from '@rarefy/core';
import { emDashPer1000Words, words } from '@rarefy/diversity';
import {
  type EvaluatedAnswer,
  type Evaluation,
  type ExperimentRecord,
  goodAnswers,
  type HeldOutPrompt,
  type MeasureOptions,
  measure,
  measureByDensityDecile,
  type Plan,
  perPromptValues,
  type RunRecord,
  wordBudgets,
} from '@rarefy/experiment';
import { largestOf, meanOf, varianceComponents } from '@rarefy/statistics';
import type { AnswersSideBySide, ByDecile, Curve, ExperimentReport, VarianceSplit } from './report.js';
import { meanInterval, measuredStrata } from './run-values.js';

/** Options for the measures of an evaluation, whose embeddings come with it. */
export type Measuring = Omit<MeasureOptions, 'embeddings'> & {
  readonly embeddings?: (evaluation: Evaluation) => Matrix | undefined;
};

export function optionsFor({ embeddings, ...options }: Measuring, evaluation: Evaluation): MeasureOptions {
  const rows = embeddings?.(evaluation);
  return rows === undefined ? options : { ...options, embeddings: rows };
}

/** The last evaluation of a run. */
export function endOf({ evaluations }: RunRecord): Evaluation {
  return evaluations.at(-1)!;
}

/**
 * Means over the runs of each arm at every step at which all of them were evaluated, from the start model on. All points are
 * measured with the answers per prompt and the words that the smallest evaluation has, so they may differ from the values after
 * training that the tests use.
 */
export function curvesOf(plan: Plan, record: ExperimentRecord, measuring: Measuring): Curve[] {
  const evaluations = [record.start, ...record.runs.flatMap((run) => run.evaluations)];
  const budgets = wordBudgets(evaluations, measuring.heldOut, measuring.strata, measuring.startMedianReward);
  const options = { ...measuring, budgets, k: Math.min(measuring.k, budgets.answers) };
  const measured = (evaluation: Evaluation) => measure(evaluation, optionsFor(options, evaluation));
  const start = measured(record.start);
  return plan.arms.flatMap(({ name: arm }) => {
    const runs = record.runs.filter((run) => run.config.arm.name === arm);
    if (runs.length === 0) return [];
    const steps = runs[0]!.evaluations
      .map(({ step }) => step)
      .filter(
        (step) => step > 0 && runs.every((run) => run.evaluations.some((evaluation) => evaluation.step === step)),
      );
    const byStep = [
      { step: 0, values: [start] },
      ...steps.map((step) => ({
        step,
        values: runs.map((run) => measured(run.evaluations.find((evaluation) => evaluation.step === step)!)),
      })),
    ];
    return measuredStrata([start]).flatMap(([name, strata]) =>
      strata.flatMap((stratum) => {
        const points = byStep.flatMap(({ step, values }) => {
          const finite = values.map((value) => value[name]?.[stratum] ?? Number.NaN).filter(Number.isFinite);
          return finite.length === 0 ? [] : [{ step, mean: meanOf(finite), interval: meanInterval(finite) }];
        });
        return points.length === 0 ? [] : [{ arm, measure: name, stratum, points }];
      }),
    );
  });
}

/** After training, for those of `names` that have a value per prompt. A tenth in which no run has a value is left out. */
export function byDecileOf(
  plan: Plan,
  record: ExperimentRecord,
  names: readonly string[],
  measuring: Measuring,
): ByDecile[] {
  return plan.arms.flatMap(({ name: arm }) => {
    const ends = record.runs.filter((run) => run.config.arm.name === arm).map(endOf);
    if (ends.length === 0) return [];
    return names.flatMap((name) => {
      const runs = ends.map((end) =>
        measureByDensityDecile(end, name, record.heldOutDensity, optionsFor(measuring, end)),
      );
      const deciles = runs[0]!.flatMap(({ prompts }, decile) => {
        const finite = runs.map((run) => run[decile]!.mean).filter(Number.isFinite);
        return finite.length === 0
          ? []
          : [{ decile: decile + 1, prompts, mean: meanOf(finite), interval: meanInterval(finite) }];
      });
      return deciles.length === 0 ? [] : [{ arm, measure: name, deciles }];
    });
  });
}

const answerValues: Readonly<Record<string, (answer: EvaluatedAnswer) => number>> = {
  reward: ({ reward }) => reward,
  words: ({ text }) => words(text).length,
  'em-dashes': ({ text }) => (words(text).length === 0 ? 0 : emDashPer1000Words([text])),
};

/**
 * For a few measures: how much of the variance of a run's value, among runs of the baseline that answer the same prompts, is due to
 * the run, to its prompts, and to single answers. Distinct good answers are counted in two halves of the answers to each prompt.
 * Em-dashes are the mean of the rates of answers.
 */
export function varianceOf(baseline: string, record: ExperimentRecord, measuring: Measuring): VarianceSplit[] {
  const ends = record.runs.filter((run) => run.config.arm.name === baseline).map(endOf);
  if (ends.length < 2 || measuring.heldOut.length < 2) return [];
  const answers = Math.min(...ends.map((end) => wordBudgets([end], measuring.heldOut, measuring.strata, 0).answers));
  const byPrompt = ends.map((end) => {
    const groups = new Map<string, EvaluatedAnswer[]>(measuring.heldOut.map(({ id }) => [id, []]));
    for (const answer of end.answers) groups.get(answer.id)!.push(answer);
    return [...groups.values()].map((group) => group.slice(0, answers));
  });
  const halves = ends.map((end) => {
    const half = Math.floor(answers / 2);
    if (half === 0) return undefined;
    const values = [0, half].map((from) => {
      const part = { ...end, answers: end.answers.filter(({ index }) => index >= from && index < from + half) };
      const options = {
        ...measuring,
        k: Math.min(measuring.k, half),
        budgets: { ...measuring.budgets, answers: half },
      };
      return perPromptValues(part, 'distinct-good', withoutEmbeddings(options));
    });
    return Array.from(values[0]!, (_, prompt) => values.map((value) => value[prompt]!));
  });
  const splits = [
    ...(halves.some((half) => half === undefined) ? [] : [splitOf('distinct-good', halves as number[][][], answers)]),
    ...Object.entries(answerValues).map(([name, valueIn]) =>
      splitOf(
        name,
        byPrompt.map((groups) => groups.map((group) => group.map(valueIn))),
        answers,
      ),
    ),
  ];
  return splits.filter((split) => split !== undefined);
}

function withoutEmbeddings({ embeddings: _, ...options }: Measuring): MeasureOptions {
  return options;
}

/** Undefined if nothing varies. */
function splitOf(name: string, values: readonly (readonly number[])[][], answers: number): VarianceSplit | undefined {
  if (values.some((run) => run.some((cell) => cell.some((value) => !Number.isFinite(value))))) return undefined;
  const { meanParts, meanVariance, more, prompts } = varianceComponents(values);
  if (!(meanVariance > 0)) return undefined;
  const advice = {
    runs: 'More runs: runs differ more than their prompts and answers explain.',
    prompts: `More held-out prompts than ${prompts}.`,
    samples: `More answers than ${answers} per prompt, or more prompts.`,
  };
  return {
    measure: name,
    runs: meanParts.run / meanVariance,
    prompts: meanParts.runPrompt / meanVariance,
    answers: meanParts.sample / meanVariance,
    advice: advice[more],
  };
}

/**
 * Two prompts of each stratum, and of each the first answers: two of the start model, and one of each of the first two runs of
 * every arm. The prompts are those with the smallest hash of their id, so no outcome chooses them.
 */
export function answersOf(
  plan: Plan,
  record: ExperimentRecord,
  heldOut: readonly HeldOutPrompt[],
  startMedianReward: number,
): AnswersSideBySide[] {
  const sources = [
    { arm: 'start', seed: null, index: 0, evaluation: record.start },
    { arm: 'start', seed: null, index: 1, evaluation: record.start },
    ...plan.arms.flatMap(({ name: arm }) =>
      record.runs
        .filter((run) => run.config.arm.name === arm)
        .slice(0, 2)
        .map((run) => ({ arm, seed: run.config.seed, index: 0, evaluation: endOf(run) })),
    ),
  ].map((source) => ({ ...source, good: goodAnswers(source.evaluation, startMedianReward) }));
  const chosen = plan.strata.flatMap((stratum) =>
    heldOut
      .filter((prompt) => prompt.stratum === stratum)
      .map((prompt) => ({ prompt, hash: hashOf(prompt.id) }))
      .sort((a, b) => a.hash - b.hash || (a.prompt.id < b.prompt.id ? -1 : 1))
      .slice(0, 2)
      .map(({ prompt }) => prompt),
  );
  return chosen.map(({ id, prompt, stratum }) => ({
    id,
    prompt,
    stratum,
    answers: sources.flatMap(({ arm, seed, index, evaluation, good }) => {
      const row = evaluation.answers.findIndex((answer) => answer.id === id && answer.index === index);
      if (row < 0) return [];
      const { text, reward } = evaluation.answers[row]!;
      return [{ arm, seed, text, reward, good: good[row]! }];
    }),
  }));
}

/** FNV-1a of the UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

/** 30 bins from the smallest to the largest density; logarithmic if all are positive and the largest is 20 times the smallest. */
export function densityHistogram(density: ArrayLike<number>): ExperimentReport['density'] {
  const values = Array.from(density);
  const smallest = -largestOf(values.map((value) => -value));
  const largest = largestOf(values);
  const logarithmic = smallest > 0 && largest >= 20 * smallest;
  const scaled = (value: number) => (logarithmic ? Math.log(value) : value);
  const bins = 30;
  const width = (scaled(largest) - scaled(smallest)) / bins;
  const edges = Array.from({ length: bins + 1 }, (_, edge) => {
    if (edge === 0) return smallest;
    if (edge === bins) return largest;
    const end = scaled(smallest) + edge * width;
    return logarithmic ? Math.exp(end) : end;
  });
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    counts[width === 0 ? 0 : Math.min(bins - 1, Math.floor((scaled(value) - scaled(smallest)) / width))]!++;
  }
  return { edges, counts, logarithmic };
}
