import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkSeed,
  InputError,
  type Sampler,
  type SamplerState,
} from '@rarefy/core';
import { checkLoaded, checkParameters, checkRewardModel, type RewardModel, type SavedModel } from '@rarefy/lm';
import { type ChatFormat, chatFormat, checkChatFormat } from '@rarefy/tokenizers';
import { shuffled } from '../language-model/examples.js';
import { type TrainingOptions, trainingOptionNames, trainWithCheckpoints } from '../run/train-with-checkpoints.js';
import { evaluateRows, type RewardModelEvaluation } from './evaluate-reward-model.js';
import { checkHeldOut, type HeldOutOptions, type HeldOutState, reviewOf, withEvaluation } from './held-out.js';
import { pairDraws } from './pair-draws.js';
import {
  checkPairs,
  digestOfRows,
  fittingPairs,
  heldOutTest,
  type PairRows,
  type PreferencePair,
} from './pair-rows.js';
import { type PairRewards, pairLoss, partsOf, preferenceMetrics } from './preference-loss.js';

export interface RewardModelTrainingOptions extends TrainingOptions {
  /** Pairs per step; default 16. */
  readonly batchSize?: number;
  /**
   * Pairs per forward pass; default 1, which needs the least memory and no padding between pairs. Gradients are summed, so the step
   * is that of the whole batch except for rounding. More pairs may be faster on a GPU.
   */
  readonly microBatchSize?: number;
  /** Most tokens per row; default: the model's positions. Pairs with a longer row are left out, as in TRL, not cut. */
  readonly maxLength?: number;
  /** Weight of mean((chosen + rejected)²), which centers rewards at 0 (Eisenstein et al. 2023); default 0, recommended 0.01. */
  readonly centerRewardsCoefficient?: number;
  /** How prompts and answers are written; default `chatFormat(tokenizer)`. */
  readonly format?: ChatFormat;
  readonly seed: number;
  /**
   * Draws the pairs of each step, by position in `pairs`; skips pairs that are left out or held out. Default: each pair once per
   * epoch.
   */
  readonly sampler?: Sampler;
  /** Evaluates on held-out pairs while the model trains. Default: no evaluation. */
  readonly evaluation?: HeldOutOptions;
}

const optionNames = [
  ...trainingOptionNames,
  'batchSize',
  'microBatchSize',
  'maxLength',
  'centerRewardsCoefficient',
  'format',
  'seed',
  'sampler',
  'evaluation',
] as const satisfies readonly (keyof RewardModelTrainingOptions)[];

export interface RewardModelTrainingResult {
  /** Number of pairs that were trained on. */
  readonly pairs: number;
  /** Number of pairs left out of training because a row is longer than `maxLength`. */
  readonly tooLong: number;
  /** Steps done, including those before a resume. Fewer than `steps` if `patience` ended the run. */
  readonly steps: number;
  /** The step whose weights the model has now: the best evaluation, or the last step. */
  readonly step: number;
  /** The evaluation of the weights that the model has now, if there was one. */
  readonly evaluation?: RewardModelEvaluation;
}

/** What a checkpoint holds of a run. */
interface SavedState {
  readonly draws?: SamplerState;
  readonly heldOut?: HeldOutState;
}

/**
 * Trains a reward model on preference pairs with the Bradley-Terry loss, -log σ(chosen - rejected - margin), as `RewardTrainer` of
 * TRL. A pair without `margin` has the margin 0.
 *
 * Metrics under TRL's names: `loss`, `grad_norm`, `learning_rate`, `accuracy`, `margin`, `min_reward`, `mean_reward`, `max_reward`,
 * `num_tokens`, `step_time`; with `evaluation`, steps that are evaluated add `eval_loss`, `eval_accuracy`, `eval_margin` and
 * `eval_min_reward`, `eval_mean_reward`, `eval_max_reward`. All are those of the whole batch, or of all held-out pairs.
 *
 * Pairs that do not fit are counted in the warnings `pairs-too-long`.
 * @throws InputError if no pair to train on, or none that is held out, fits in `maxLength`, or the folder of `checkpoint` already
 *   holds a run and `resume` is not set; InvalidArgumentError if an option is unknown or out of range, or an argument is of another
 *   kind; StateMismatchError if a resumed run has other settings or pairs.
 */
export async function trainRewardModel(
  loaded: Omit<SavedModel, 'extra'>,
  reward: RewardModel,
  pairs: readonly PreferencePair[],
  options: RewardModelTrainingOptions,
): Promise<RewardModelTrainingResult> {
  checkOptions(options, optionNames, 'trainRewardModel');
  checkLoaded(loaded, 'trainRewardModel');
  const { maxPositions } = loaded.model.description;
  const { batchSize = 16, microBatchSize = 1, maxLength = maxPositions, centerRewardsCoefficient = 0 } = options;
  const { seed, sampler, signal, onEvent, task = 'rm', format = chatFormat(loaded.tokenizer) } = options;
  checkChatFormat(format, 'trainRewardModel');
  checkRewardModel(reward, 'trainRewardModel');
  checkParameters(reward.parameters);
  checkPairs(pairs, 'trainRewardModel');
  checkInteger('batchSize', batchSize, 1);
  checkInteger('microBatchSize', microBatchSize, 1);
  checkInteger('maxLength', maxLength, 1);
  checkNumber('centerRewardsCoefficient', centerRewardsCoefficient, 0);
  checkSeed(seed);
  const heldOut = options.evaluation && checkHeldOut(options.evaluation);

  const isHeldOut = heldOut?.share === undefined ? () => false : heldOutTest(pairs, heldOut.share, 0);
  const fitting = (given: readonly PreferencePair[], what: string) =>
    fittingPairs(format, given, { maxLength, what, task, signal, onEvent });
  const positions = Array.from(pairs.keys()).filter((position) => !isHeldOut(pairs[position]!));
  const train = await fitting(
    positions.map((position) => pairs[position]!),
    'pairs',
  );
  const evaluated = heldOut && (await fitting(heldOut.pairs ?? pairs.filter(isHeldOut), 'held-out pairs'));
  for (const [name, found] of Object.entries({ 'to train on': train, 'held out': evaluated })) {
    if (found === undefined || found.rows.length > 0) continue;
    throw new InputError(
      `all ${found.tooLong} pairs ${name} have a row longer than ${maxLength} tokens; increase maxLength`,
    );
  }
  const rows = train.rows.map((row) => ({ ...row, position: positions[row.position]! }));
  const draws = sampler && pairDraws(sampler, rowsByPosition(rows, pairs.length), batchSize);
  const batchAt: (step: number) => readonly PairRows[] = draws ? draws.batch : shuffled(rows, { batchSize, seed });

  let state: HeldOutState = { misses: 0 };
  const evaluate = async (step: number) => {
    if (!(heldOut && evaluated) || (step % heldOut.everySteps !== 0 && step !== options.steps)) return { metrics: {} };
    const { tooLong } = evaluated;
    if (state.last?.step === step) return reviewOf(state, heldOut); // a logger failed after the evaluation
    const evaluation = await evaluateRows(reward, evaluated.rows, {
      ...{ tooLong, centerRewardsCoefficient, batchSize: microBatchSize, signal },
    });
    state = withEvaluation(state, { step, evaluation }, heldOut);
    return reviewOf(state, heldOut);
  };

  const run = await trainWithCheckpoints(
    {
      name: 'rm',
      loaded,
      parameters: reward.parameters,
      extra: () => reward.head(),
      settings: {
        ...{ task: 'rm', format: format.name, pairs: digestOfRows(rows), batchSize, maxLength },
        ...{ centerRewardsCoefficient, seed },
        ...(sampler && { sampler: sampler.fingerprint }),
        ...(heldOut && evaluated && { evaluation: evaluationSettings(heldOut, digestOfRows(evaluated.rows)) }),
      },
      async step(step, update) {
        const batch = batchAt(step - 1);
        const seen: PairRewards = { chosen: [], rejected: [] };
        const part = { centerRewardsCoefficient, pairs: batch.length };
        const metrics = await update(
          partsOf(batch, microBatchSize).map((some) => () => pairLoss(reward, some, part, seen)),
        );
        const tokens = batch.reduce((sum, { chosen, rejected }) => sum + chosen.length + rejected.length, 0);
        draws?.finish();
        return { metrics: { ...metrics, ...preferenceMetrics(seen) }, tokens };
      },
      review: evaluate,
      state: (): SavedState => ({ ...(draws && { draws: draws.state() }), ...(heldOut && { heldOut: state }) }),
      restore(saved) {
        const { draws: drawn, heldOut: evaluations } = saved as SavedState;
        if (drawn) draws?.restore(drawn);
        if (evaluations) state = evaluations;
      },
    },
    options,
  );
  const step = run.best ?? run.steps;
  const reviewed = [state.best, state.last].find((found) => found?.step === step);
  return {
    ...{ pairs: rows.length, tooLong: train.tooLong, steps: run.steps, step },
    ...(reviewed && { evaluation: reviewed.evaluation }),
  };
}

/** What decides where a run ends and with which weights. */
function evaluationSettings(
  { everySteps, metric, patience, keepBest }: ReturnType<typeof checkHeldOut>,
  pairs: string,
): Readonly<Record<string, string | number | boolean>> {
  return { pairs, everySteps, metric, keepBest, ...(Number.isFinite(patience) && { patience }) };
}

/** The rows of each pair; undefined for a pair that was left out. */
function rowsByPosition(rows: readonly PairRows[], pairs: number): (PairRows | undefined)[] {
  const byPosition = new Array<PairRows | undefined>(pairs).fill(undefined);
  for (const row of rows) byPosition[row.position] = row;
  return byPosition;
}
