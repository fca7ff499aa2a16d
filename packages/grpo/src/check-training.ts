import { checkInteger, described, InvalidArgumentError, shown } from '@rarefy/core';
import { type CausalLanguageModel, checkModel, checkOutputHead } from '@rarefy/lm';
import type { ChatFormat } from '@rarefy/tokenizers';
import type { RewardAggregation } from './losses/advantages.js';
import type { PolicyLoss } from './losses/policy-loss.js';
import type { SamplingCorrection } from './losses/sampling-correction.js';
import type { RolloutSource } from './rollout/rollout-source.js';
import type { Treatment } from './treatments/treatment.js';

/** @throws InvalidArgumentError if `loader` is not a loader, but for example a sampler. */
export function checkLoader(loader: unknown): void {
  const { settings, sampler, state, kind } = Object(loader) as Record<string, unknown>;
  if (Object(settings) === settings && Object(sampler) === sampler && typeof state === 'function') return;
  const what = typeof kind === 'string' ? `a ${kind}` : described(loader);
  throw new InvalidArgumentError(`trainGrpo needs a loader, got ${what}; give grpoLoader(prompts, { sampler })`);
}

/** @throws InvalidArgumentError if `loss` is not a loss, but for example its name. */
export function checkLoss(loss: unknown): void {
  const { loss: compute, metrics } = Object(loss) as Record<string, unknown>;
  if (typeof compute === 'function' && typeof metrics === 'function') return;
  const hint = typeof loss === 'function' ? '; call the function that makes one' : '';
  throw new InvalidArgumentError(`loss must be a loss, such as grpoLoss(), got ${shown(loss)}${hint}`);
}

/** @throws InvalidArgumentError if `rollouts` is not a source of completions. */
export function checkRollouts(rollouts: RolloutSource): void {
  const { name, rollout, settings } = Object(rollouts) as Partial<RolloutSource>;
  if (typeof name === 'string' && typeof rollout === 'function' && Object(settings) === settings) return;
  throw new InvalidArgumentError(
    `rollouts must be a source of completions, such as serverRollouts({ url, model }), got ${shown(rollouts)}`,
  );
}

/** @throws InvalidArgumentError if the loss needs a ratio per token, and the correction has one per sequence. As in TRL. */
export function checkCorrection(correction: Required<SamplingCorrection> | undefined, { name }: PolicyLoss): void {
  if (name !== 'vespo' || correction === undefined || correction.mode.startsWith('token')) return;
  throw new InvalidArgumentError(
    `the loss 'vespo' needs a sampling ratio per token, got samplingCorrection.mode '${correction.mode}'; give 'token_truncate' or 'token_mask'`,
  );
}

/** @throws InvalidArgumentError if a treatment is not one, or changes rewards that `multiObjectiveAggregation` does not add up. */
export function checkTreatments(treatments: readonly Treatment[], aggregation: RewardAggregation): void {
  if (aggregation !== 'sum_then_normalize' && aggregation !== 'normalize_then_sum') {
    throw new InvalidArgumentError(
      `multiObjectiveAggregation must be 'sum_then_normalize' or 'normalize_then_sum', got ${shown(aggregation)}`,
    );
  }
  if (!Array.isArray(treatments)) {
    throw new InvalidArgumentError(`treatments must be an array, as in [focalDifficulty()], got ${shown(treatments)}`);
  }
  for (const [index, treatment] of treatments.entries()) {
    const { name, rewards, scale } = Object(treatment) as Partial<Treatment>;
    if (typeof name !== 'string' || (typeof rewards !== 'function' && typeof scale !== 'function')) {
      const hint = typeof treatment === 'function' ? '; call the function that makes one' : '';
      throw new InvalidArgumentError(
        `treatments[${index}] must be a treatment, such as focalDifficulty(), got ${shown(treatment)}${hint}`,
      );
    }
    if (rewards && aggregation === 'normalize_then_sum') {
      throw new InvalidArgumentError(
        `the treatment '${name}' changes the sum of the rewards, which 'normalize_then_sum' does not use; use 'sum_then_normalize'`,
      );
    }
  }
}

/**
 * Checks the reference policy against the loss, as far as the loss reports its `beta`, and against the policy.
 * @throws InvalidArgumentError if one of loss and reference needs the other, the reference is not a model or shares weights with
 *   the policy, or its logits are not those of its head.
 */
export function checkReference(
  reference: CausalLanguageModel | undefined,
  { name, settings: { beta } = {} }: PolicyLoss,
  policy: CausalLanguageModel,
): void {
  if (reference === undefined) {
    if (typeof beta !== 'number' || beta === 0) return;
    throw new InvalidArgumentError(
      `the loss '${name}' has beta ${beta}, so trainGrpo needs the option \`reference\`; give reference: snapshot(policy.model)`,
    );
  }
  checkModel(reference, 'the option `reference`');
  if (beta === 0) {
    throw new InvalidArgumentError(
      `\`reference\` is given, and the loss '${name}' has beta 0, which ignores it; give the loss a beta > 0, as in grpoLoss({ beta: 0.04 }), or drop \`reference\``,
    );
  }
  const trained = new Set(Object.values(policy.parameters));
  if (Object.values(reference.parameters).some((variable) => trained.has(variable))) {
    throw new InvalidArgumentError(
      'the reference shares weights with the policy, so it would change with it and the KL divergence would stay 0; give reference: snapshot(policy.model)',
    );
  }
  checkOutputHead(reference);
}

interface CompletionLengths {
  readonly maxPromptLength: number;
  readonly maxCompletionLength: number;
}

/** The two length limits with defaults that fit the model. @throws InvalidArgumentError naming the option to change. */
export function completionLengths(
  model: CausalLanguageModel,
  format: ChatFormat,
  options: Partial<CompletionLengths>,
): CompletionLengths {
  const { maxPositions } = model.description;
  const marks = format.prompt('').ids.length;
  const quarter = Math.max(1, Math.min(256, Math.floor(maxPositions / 4)));
  const given = options.maxPromptLength;
  const { maxCompletionLength = given === undefined ? quarter : Math.max(1, Math.min(quarter, maxPositions - given)) } =
    options;
  checkInteger('maxCompletionLength', maxCompletionLength, 1);
  const { maxPromptLength = Math.min(512, maxPositions - maxCompletionLength) } = options;
  if (given !== undefined) checkInteger('maxPromptLength', given, 1);
  if (maxPromptLength < marks) {
    throw new InvalidArgumentError(
      `a prompt needs ${marks} tokens for the marks of its format, and maxPromptLength leaves ${maxPromptLength}: the model has ${maxPositions} positions, and maxCompletionLength is ${maxCompletionLength}. Increase maxPromptLength, lower maxCompletionLength, or use a model with more positions`,
    );
  }
  if (maxPromptLength + maxCompletionLength > maxPositions) {
    throw new InvalidArgumentError(
      `maxPromptLength ${maxPromptLength} and maxCompletionLength ${maxCompletionLength} do not fit into the ${maxPositions} positions of the model; lower one of them`,
    );
  }
  return { maxPromptLength, maxCompletionLength };
}
