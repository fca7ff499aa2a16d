import { InvalidArgumentError } from '@rarefy/core';
import type { PolicyLoss } from '@rarefy/grpo';
import { checkApplies } from '../shell/check-options.js';
import { camelCase, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';

/** Options of every loss. */
const commonOptions = {
  beta: {
    type: 'number',
    default: 0,
    min: 0,
    description: 'Weight of the KL divergence from the model that the run starts from; 0 loads no second model',
  },
  'use-bias-correction-kl': {
    type: 'choice',
    choices: ['true', 'false'],
    default: 'true',
    description: 'Multiply the KL estimate by the importance ratio, which makes its gradient unbiased',
  },
  'importance-sampling-level': {
    type: 'choice',
    choices: ['token', 'sequence'],
    description: 'Ratio of each token, or of its sequence (GSPO); default token, and sequence for luspo',
  },
  'top-entropy-quantile': {
    type: 'number',
    min: 0,
    max: 1,
    description: 'Learn only from this share of the tokens, those with the highest entropy; default 1',
  },
  'entropy-coef': { type: 'number', min: 0, description: 'Weight of the entropy bonus; default 0' },
  'use-adaptive-entropy': { type: 'flag', description: 'Change --entropy-coef to hold the entropy at a target' },
  'entropy-target': { type: 'number', min: 0, description: 'Target of --use-adaptive-entropy, in nats; default 0.2' },
  'entropy-coef-delta': { type: 'number', min: 0, description: 'Change of --entropy-coef per step; default 0.005' },
  'entropy-coef-min': { type: 'number', min: 0, description: 'Smallest --entropy-coef; default 0' },
  'entropy-coef-max': { type: 'number', min: 0, description: 'Largest --entropy-coef; default 1' },
  'off-policy-mask-threshold': {
    type: 'number',
    min: 0,
    description: 'Drop bad completions whose mean log-probability has fallen by more than this; default none',
  },
} as const satisfies OptionDefinitions;

/** How the reference follows the policy. */
const syncOptions = {
  'sync-ref-model': {
    type: 'flag',
    description: 'Mix the policy into the reference of --beta every --ref-model-sync-steps optimizer steps',
  },
  'ref-model-mixup-alpha': {
    type: 'number',
    default: 0.6,
    min: 0,
    max: 1,
    description: 'Share of the policy in the new reference',
  },
  'ref-model-sync-steps': {
    type: 'integer',
    default: 512,
    min: 1,
    description: 'Optimizer steps from one mix to the next',
  },
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
  loss: {
    type: 'choice',
    choices: Object.keys(ownOptions) as LossName[],
    default: 'dapo',
    description: 'Policy loss, as loss_type of TRL',
  },
  ...commonOptions,
  ...syncOptions,
  epsilon: { type: 'number', min: 0, max: 1, description: 'Clip the ratio below 1 - this; default 0.2' },
  'epsilon-high': {
    type: 'number',
    min: 0,
    description: 'Clip the ratio above 1 + this; default --epsilon. For cispo the largest weight of a token, required',
  },
  delta: {
    type: 'number',
    min: 0,
    description: 'Largest ratio of a completion with negative advantage; default none',
  },
  'sapo-temperature-pos': { type: 'number', min: 0, description: 'Gate of sapo for positive advantages; default 1' },
  'sapo-temperature-neg': { type: 'number', min: 0, description: 'Gate of sapo for negative advantages; default 1.05' },
  'vespo-k-pos': { type: 'number', min: 0, description: 'Power k of the weight of vespo, advantage ≥ 0; default 2' },
  'vespo-lambda-pos': {
    type: 'number',
    min: 0,
    description: 'Decay λ of the weight of vespo, advantage ≥ 0; default 3',
  },
  'vespo-k-neg': { type: 'number', min: 0, description: 'Power k of the weight of vespo, advantage < 0; default 3' },
  'vespo-lambda-neg': {
    type: 'number',
    min: 0,
    description: 'Decay λ of the weight of vespo, advantage < 0; default 2',
  },
} as const satisfies OptionDefinitions);

export type LossValues = OptionValues<typeof lossOptions>;

/** @throws InvalidArgumentError for an option that the chosen loss would ignore, or one that it needs. */
export function checkLossOptions(given: ReadonlySet<string>, values: LossValues): void {
  const lacks = values.useAdaptiveEntropy
    ? {}
    : Object.fromEntries(adaptiveNames.map((name) => [name, '--use-adaptive-entropy']));
  const needsBeta =
    values.beta > 0 ? {} : { 'use-bias-correction-kl': '--beta above 0', 'sync-ref-model': '--beta above 0' };
  const needsSync = Object.fromEntries(
    (values.syncRefModel ? [] : ['ref-model-mixup-alpha', 'ref-model-sync-steps']).map((name) => [
      name,
      '--sync-ref-model',
    ]),
  );
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

/** Without the entries that are undefined. */
export function defined<Values extends object>(values: Values): { [Name in keyof Values]: NonNullable<Values[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
