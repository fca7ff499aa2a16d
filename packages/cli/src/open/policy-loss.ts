import { InvalidArgumentError } from '@rarefy/core';
import type { PolicyLoss } from '@rarefy/grpo';
import { checkApplies } from '../shell/check-options.js';
import { choice, flag, integer, number, text } from '../shell/define-option.js';
import { camelCase, defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';

/** Options of every loss. */
const commonOptions = {
  beta: number('Weight of the KL divergence from the model that the run starts from; 0 loads no second model', {
    default: 0,
    min: 0,
  }),
  'use-bias-correction-kl': choice(
    ['true', 'false'],
    'Multiply the KL estimate by the importance ratio, which makes its gradient unbiased',
    { default: 'true' },
  ),
  reference: text(
    'base|sft|path',
    'Model that --beta keeps the policy near; default the model that the run starts from',
  ),
  'importance-sampling-level': choice(
    ['token', 'sequence'],
    'Ratio of each token, or of its sequence (GSPO); default token, and sequence for luspo',
  ),
  'top-entropy-quantile': number(
    'Learn only from this share of the tokens, those with the highest entropy; default 1',
    { min: 0, max: 1 },
  ),
  'entropy-coef': number('Weight of the entropy bonus; default 0', { min: 0 }),
  'use-adaptive-entropy': flag('Change --entropy-coef to hold the entropy at a target'),
  'entropy-target': number('Target of --use-adaptive-entropy, in nats; default 0.2', { min: 0 }),
  'entropy-coef-delta': number('Change of --entropy-coef per step; default 0.005', { min: 0 }),
  'entropy-coef-min': number('Smallest --entropy-coef; default 0', { min: 0 }),
  'entropy-coef-max': number('Largest --entropy-coef; default 1', { min: 0 }),
  'off-policy-mask-threshold': number(
    'Drop bad completions whose mean log-probability has fallen by more than this; default none',
    { min: 0 },
  ),
} as const satisfies OptionDefinitions;

/** How the reference follows the policy. */
const syncOptions = {
  'sync-ref-model': flag('Mix the policy into the reference every --ref-model-sync-steps optimizer steps'),
  'ref-model-mixup-alpha': number('Share of the policy in the new reference', { default: 0.6, min: 0, max: 1 }),
  'ref-model-sync-steps': integer('Optimizer steps from one mix to the next', { default: 512, min: 1 }),
} as const satisfies OptionDefinitions;

const adaptiveNames = ['entropy-target', 'entropy-coef-delta', 'entropy-coef-min', 'entropy-coef-max'] as const;
const clipping = ['epsilon', 'epsilon-high', 'delta'] as const;

/** The losses, and the options that each has beside the common ones. */
const ownOptions = {
  dapo: clipping,
  grpo: clipping,
  dr_grpo: clipping,
  luspo: clipping,
  cispo: ['epsilon-high'],
  sapo: ['sapo-temperature-pos', 'sapo-temperature-neg'],
  vespo: ['vespo-k-pos', 'vespo-lambda-pos', 'vespo-k-neg', 'vespo-lambda-neg'],
} as const;
type LossName = keyof typeof ownOptions;

/** Options of `--loss`, with the names of TRL. */
export const lossOptions = under('Loss', {
  loss: choice(Object.keys(ownOptions) as LossName[], 'Policy loss, as loss_type of TRL', { default: 'dapo' }),
  ...commonOptions,
  ...syncOptions,
  epsilon: number('Clip the ratio below 1 - this; default 0.2', { min: 0, max: 1 }),
  'epsilon-high': number(
    'Clip the ratio above 1 + this; default --epsilon. For cispo the largest weight of a token, required',
    { min: 0 },
  ),
  delta: number('Largest ratio of a completion with negative advantage; default none', { min: 0 }),
  'sapo-temperature-pos': number('Gate of sapo for positive advantages; default 1', { min: 0 }),
  'sapo-temperature-neg': number('Gate of sapo for negative advantages; default 1.05', { min: 0 }),
  'vespo-k-pos': number('Power k of the weight of vespo, advantage ≥ 0; default 2', { min: 0 }),
  'vespo-lambda-pos': number('Decay λ of the weight of vespo, advantage ≥ 0; default 3', { min: 0 }),
  'vespo-k-neg': number('Power k of the weight of vespo, advantage < 0; default 3', { min: 0 }),
  'vespo-lambda-neg': number('Decay λ of the weight of vespo, advantage < 0; default 2', { min: 0 }),
} as const satisfies OptionDefinitions);

export type LossValues = OptionValues<typeof lossOptions>;

/** @throws InvalidArgumentError for an option that the chosen loss would ignore, or one that it needs. */
export function checkLossOptions(given: ReadonlySet<string>, values: LossValues): void {
  const lacks = values.useAdaptiveEntropy
    ? {}
    : Object.fromEntries(adaptiveNames.map((name) => [name, '--use-adaptive-entropy']));
  const above0 = '--beta above 0';
  const needsBeta =
    values.beta > 0 ? {} : { 'use-bias-correction-kl': above0, reference: above0, 'sync-ref-model': above0 };
  const { 'sync-ref-model': _, ...ofSync } = syncOptions;
  const needsSync = values.syncRefModel
    ? {}
    : Object.fromEntries(Object.keys(ofSync).map((name) => [name, '--sync-ref-model']));
  const takers = Object.entries(ownOptions).map(([name, own]) => [
    name,
    {
      takes: [...own, ...Object.keys({ ...commonOptions, ...syncOptions })],
      lacks: { ...lacks, ...needsBeta, ...needsSync },
    },
  ]);
  checkApplies(given, 'loss', Object.fromEntries(takers), [values.loss]);
  if (values.loss === 'cispo' && values.epsilonHigh === undefined) {
    throw new InvalidArgumentError('--loss cispo needs --epsilon-high, the largest weight of a token, such as 5.');
  }
}

/** The loss that the options choose. */
export async function openLoss(values: LossValues): Promise<PolicyLoss> {
  const { policyLosses } = await import('@rarefy/grpo');
  const { entropyTarget, entropyCoefDelta, entropyCoefMin, entropyCoefMax } = values;
  const adaptive = { target: entropyTarget, delta: entropyCoefDelta, min: entropyCoefMin, max: entropyCoefMax };
  const named = values as unknown as Readonly<Record<string, unknown>>;
  const own = ownOptions[values.loss].map((option) => {
    const name = camelCase(option);
    return [camelCase(option.replace(/^(sapo|vespo)-/, '')), named[name]];
  });
  const { beta, importanceSamplingLevel, topEntropyQuantile, entropyCoef, offPolicyMaskThreshold } = values;
  const options = defined({
    ...Object.fromEntries(own),
    ...{ beta, importanceSamplingLevel, topEntropyQuantile, entropyCoef, offPolicyMaskThreshold },
    useBiasCorrectionKl: values.useBiasCorrectionKl === 'true',
    adaptiveEntropy: values.useAdaptiveEntropy ? defined(adaptive) : undefined,
  });
  return (policyLosses[values.loss] as (options: object) => PolicyLoss)(options);
}
