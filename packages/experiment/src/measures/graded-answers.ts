import { InvalidArgumentError } from '@rarefy/core';
import { words } from '@rarefy/diversity';
import type { HeldOutPrompt } from '../experiment/experiment.js';
import type { EvaluatedAnswer, Evaluation } from '../runs/run-record.js';

/** A held-out prompt without its text, as the plan has it. */
export type StratifiedPrompt = Omit<HeldOutPrompt, 'prompt'>;

/** An answer with what the measures need of it. */
export interface GradedAnswer {
  readonly answer: EvaluatedAnswer;
  /** Index among all answers of the evaluation, which is its row in the embeddings. */
  readonly row: number;
  readonly words: readonly string[];
  readonly good: boolean;
  /** Equal for answers to one prompt that say the same. */
  readonly class: string;
}

/** The answers to one held-out prompt, by their index. */
export interface AnsweredPrompt extends StratifiedPrompt {
  readonly answers: readonly GradedAnswer[];
}

/** Median of the rewards of all answers, the threshold for good answers. NaN without answers. */
export function medianReward(evaluation: Evaluation): number {
  return median(evaluation.answers.map(({ reward }) => reward));
}

/** Mean of the two middle values if their number is even. NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.floor(sorted.length / 2)]!) / 2;
}

/**
 * Whether each answer of an evaluation is good: as its judge says; otherwise if its reward is above `startMedianReward`, it is
 * not known to be garbled, and it is not known to be off topic.
 */
export function goodAnswers(evaluation: Evaluation, startMedianReward: number): boolean[] {
  return evaluation.answers.map((answer) => isGood(answer, startMedianReward));
}

function isGood({ good, reward, garbled, onTopic }: EvaluatedAnswer, startMedianReward: number): boolean {
  return good ?? (reward > startMedianReward && garbled !== true && onTopic !== false);
}

/**
 * Groups the answers by prompt.
 * @returns in the order of `heldOut`
 * @throws InvalidArgumentError if an answer belongs to no held-out prompt, a held-out prompt has no answer, two have the same id,
 *   one is in none of the strata, or a
 *   stratum is named `all`.
 */
export function answeredPrompts(
  evaluation: Evaluation,
  heldOut: readonly StratifiedPrompt[],
  strata: readonly string[],
  startMedianReward: number,
): AnsweredPrompt[] {
  if (strata.includes('all')) throw new InvalidArgumentError('no stratum may be named "all", the mean of the strata');
  const byId = new Map<string, GradedAnswer[]>();
  for (const { id, stratum } of heldOut) {
    if (byId.has(id)) throw new InvalidArgumentError(`two held-out prompts have the id "${id}"`);
    if (!strata.includes(stratum)) {
      const known = strata.map((name) => `"${name}"`).join(', ');
      throw new InvalidArgumentError(`held-out prompt "${id}" is in stratum "${stratum}", but the strata are ${known}`);
    }
    byId.set(id, []);
  }
  evaluation.answers.forEach((answer, row) => {
    const group = byId.get(answer.id);
    if (group === undefined) {
      throw new InvalidArgumentError(`answer ${row} belongs to "${answer.id}", which is no held-out prompt`);
    }
    const found = words(answer.text);
    const named = answer.class ?? found.join(' ');
    group.push({ answer, row, words: found, good: isGood(answer, startMedianReward), class: named });
  });
  return heldOut.map(({ id, stratum }) => {
    const answers = byId.get(id)!.sort((a, b) => a.answer.index - b.answer.index);
    if (answers.length === 0) {
      throw new InvalidArgumentError(`step ${evaluation.step} has no answer to the held-out prompt "${id}"`);
    }
    return { id, stratum, answers };
  });
}
