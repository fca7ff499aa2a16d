import { checkInteger, checkOptions, described, InvalidArgumentError, shown } from '@rarefy/core';
import type { StepMetrics, StepReview } from '../run/train-with-checkpoints.js';
import type { RewardModelEvaluation } from './evaluate-reward-model.js';
import { checkPairs, type PreferencePair } from './pair-rows.js';

/** Evaluation on held-out pairs while a reward model trains. Give either `pairs` or `share`. */
export interface HeldOutOptions {
  /** Pairs that are not among those to train on. */
  readonly pairs?: readonly PreferencePair[];
  /** Share of the distinct prompts whose pairs are held out, in (0, 1): see `splitPairs`, with the seed 0. */
  readonly share?: number;
  /** Steps between two evaluations; default 50. The last step is always evaluated. */
  readonly everySteps?: number;
  /** What decides which weights are best: the lowest `eval_loss`, which is the default, or the highest `eval_accuracy`. */
  readonly metric?: 'eval_loss' | 'eval_accuracy';
  /** Number of evaluations in a row without a better one that end the run; default: none do. */
  readonly patience?: number;
  /**
   * Whether the model has the weights of the best evaluation after the run, and not those of the last step; default true. Their
   * checkpoint is kept; without `checkpoint`, memory holds a copy of the weights.
   */
  readonly keepBest?: boolean;
}

const optionNames = [
  'pairs',
  'share',
  'everySteps',
  'metric',
  'patience',
  'keepBest',
] as const satisfies readonly (keyof HeldOutOptions)[];

/** One evaluation of a run. */
export interface ReviewedStep {
  readonly step: number;
  readonly evaluation: RewardModelEvaluation;
}

/** Follows the evaluations of a run. As JSON, it is part of a checkpoint. */
export interface HeldOutState {
  readonly best?: ReviewedStep;
  readonly last?: ReviewedStep;
  /** Number of evaluations since the best one. */
  readonly misses: number;
}

type Rules = Required<Pick<HeldOutOptions, 'metric' | 'patience' | 'keepBest'>>;

/** The state after an evaluation. */
export function withEvaluation(
  state: HeldOutState,
  last: ReviewedStep,
  { metric }: Pick<Rules, 'metric'>,
): HeldOutState {
  const value = ({ evaluation: { loss, accuracy } }: ReviewedStep) => (metric === 'eval_loss' ? -loss : accuracy);
  const isBetter = state.best === undefined || value(last) > value(state.best);
  return { best: isBetter ? last : state.best!, last, misses: isBetter ? 0 : state.misses + 1 };
}

/** What the last evaluation means for the run. */
export function reviewOf({ best, last, misses }: HeldOutState, { patience, keepBest }: Rules): StepReview {
  return {
    metrics: evaluationMetrics(last!.evaluation),
    isBest: best!.step === last!.step && keepBest,
    isLast: misses >= patience,
  };
}

/** TRL's names. */
function evaluationMetrics(evaluation: RewardModelEvaluation): StepMetrics {
  const { loss, accuracy, margin, minReward, meanReward, maxReward } = evaluation;
  return {
    ...{ eval_loss: loss, eval_accuracy: accuracy, eval_margin: margin },
    ...{ eval_min_reward: minReward, eval_mean_reward: meanReward, eval_max_reward: maxReward },
  };
}

/** The options with their defaults. @throws InvalidArgumentError if one is unknown or out of range. */
export function checkHeldOut(options: HeldOutOptions) {
  if (described(options) !== 'an object') {
    throw new InvalidArgumentError(`evaluation must be an object of options, got ${described(options)}`);
  }
  checkOptions(options, optionNames, 'evaluation');
  const { pairs, share, everySteps = 50, metric = 'eval_loss', patience = Number.POSITIVE_INFINITY } = options;
  const { keepBest = true } = options;
  if ((pairs === undefined) === (share === undefined)) {
    throw new InvalidArgumentError('evaluation needs either pairs or share');
  }
  if (pairs !== undefined) checkPairs(pairs, 'evaluation');
  checkInteger('evaluation.everySteps', everySteps, 1);
  if (patience !== Number.POSITIVE_INFINITY) checkInteger('evaluation.patience', patience, 1);
  if (metric !== 'eval_loss' && metric !== 'eval_accuracy') {
    throw new InvalidArgumentError(`evaluation.metric must be 'eval_loss' or 'eval_accuracy', got ${shown(metric)}`);
  }
  if (typeof keepBest !== 'boolean') {
    throw new InvalidArgumentError(`evaluation.keepBest must be true or false, got ${shown(keepBest)}`);
  }
  return { pairs, share, everySteps, metric, patience, keepBest };
}
