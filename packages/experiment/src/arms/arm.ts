import { checkNumber, checkOptions, InvalidArgumentError, shown } from '@rarefy/core';
import { checkOneOf } from '@rarefy/statistics';

/**
 * Weights that favor rare prompts: powers of inverse densities at which ESS/N is `targetEss`, in (0, 1]; smaller is stronger. Then
 * a share of the draws, in [0, 1], is uniform over all prompts: `uniformShare`, default 0. It raises ESS/N above the target.
 */
export interface DensityWeights {
  readonly targetEss: number;
  readonly uniformShare?: number;
}

/**
 * How an arm draws prompts. `shuffled` has the same weights as `density`, each given to a random prompt: a placebo, which
 * concentrates draws as much but not on rare prompts.
 */
export type ArmSampler = { readonly kind: 'uniform' } | ({ readonly kind: 'density' | 'shuffled' } & DensityWeights);

/**
 * A rival way to keep answers varied, with the options of the function of `@rarefy/grpo` that makes it. Its outcome function or
 * embedder comes from the experiment.
 */
export type ArmTreatment =
  | { readonly kind: 'focal-difficulty'; readonly gamma?: number; readonly low?: number; readonly high?: number }
  | { readonly kind: 'inverse-probability' | 'completion-density'; readonly low?: number };

/** One way of training that an experiment compares. Plain JSON, so that a plan can hold it and another process can run it. */
export interface Arm {
  /** Small letters, digits, hyphens and dots, such as `ess-0.5`; it names folders. */
  readonly name: string;
  readonly sampler: ArmSampler;
  /** Exponent of the importance weights (p / q)^importance of the draws, in [0, 1]; default 0. 1 corrects in full. */
  readonly importance?: number;
  /** Draws uniformly, and multiplies the loss of each prompt by what these weights would draw it more often. */
  readonly reweightLoss?: DensityWeights;
  readonly treatment?: ArmTreatment;
  /** Weight of the entropy in the loss, ≥ 0; default: that of the experiment. */
  readonly entropyCoef?: number;
  /** How the pairs were drawn that the reward model learned from; default: the reward of the experiment. */
  readonly rewardModel?: 'uniform' | 'density';
  /** Name of a density estimator of the experiment; default: its first. */
  readonly estimator?: string;
  /** Name of an embedder of the experiment; default: its first. */
  readonly embedder?: string;
}

const armNames = [
  'name',
  'sampler',
  'importance',
  'reweightLoss',
  'treatment',
  'entropyCoef',
  'rewardModel',
  'estimator',
  'embedder',
] satisfies (keyof Arm)[];

const treatmentNames = {
  'focal-difficulty': ['gamma', 'low', 'high'],
  'inverse-probability': ['low'],
  'completion-density': ['low'],
} as const satisfies Readonly<Record<ArmTreatment['kind'], readonly string[]>>;

/**
 * Checks a list of arms, for example one that was read from a file.
 * @throws InvalidArgumentError if the list is empty, two arms have the same name, or an arm has an unknown or missing field, a
 * value
 *   out of range, or fields that exclude each other: an importance weight corrects draws that are not uniform, and the loss is
 *   reweighted instead of drawing otherwise.
 */
export function checkArms(arms: readonly Arm[]): void {
  if (!Array.isArray(arms) || arms.length === 0) {
    throw new InvalidArgumentError(`arms must be a non-empty array of arms, got ${shown(arms)}`);
  }
  const names = new Set<string>();
  for (const arm of arms) {
    checkArm(arm);
    if (names.has(arm.name)) throw new InvalidArgumentError(`two arms are named "${arm.name}"; give each its own name`);
    names.add(arm.name);
  }
}

/** @throws InvalidArgumentError as {@link checkArms}. */
export function checkArm(arm: Arm): void {
  const { name, sampler, importance, reweightLoss, treatment, entropyCoef, rewardModel, estimator, embedder } =
    checkOptions(arm, armNames, 'an arm');
  if (typeof name !== 'string' || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) {
    throw new InvalidArgumentError(`the name of an arm must be of small letters, digits, - and ., got ${shown(name)}`);
  }
  const of = `of arm "${name}"`;
  checkSampler(sampler, of);
  const isUniform = sampler.kind === 'uniform';
  if (importance !== undefined) {
    checkNumber(`importance ${of}`, importance, 0, 1);
    if (isUniform && importance > 0) {
      throw new InvalidArgumentError(`arm "${name}" draws uniformly, so importance corrects nothing; drop it`);
    }
  }
  if (reweightLoss !== undefined) {
    checkDensityWeights(checkOptions(reweightLoss, ['targetEss', 'uniformShare'], `reweightLoss ${of}`), of);
    if (!isUniform) {
      throw new InvalidArgumentError(`arm "${name}" has reweightLoss, which needs the sampler { kind: 'uniform' }`);
    }
  }
  if (treatment !== undefined) checkTreatment(treatment, of);
  if (entropyCoef !== undefined) checkNumber(`entropyCoef ${of}`, entropyCoef, 0);
  if (rewardModel !== undefined) checkOneOf(`rewardModel ${of}`, rewardModel, ['uniform', 'density']);
  for (const [field, value] of Object.entries({ estimator, embedder })) {
    if (value === undefined || (typeof value === 'string' && value !== '')) continue;
    throw new InvalidArgumentError(`${field} ${of} must be a name, got ${shown(value)}`);
  }
}

function checkSampler(sampler: ArmSampler, of: string): void {
  if (sampler === undefined) throw new InvalidArgumentError(`the sampler ${of} is missing; give { kind: 'uniform' }`);
  const kind = Object(sampler).kind as ArmSampler['kind'];
  checkOneOf(`the kind of the sampler ${of}`, kind, ['uniform', 'density', 'shuffled']);
  const known = kind === 'uniform' ? [] : ['targetEss', 'uniformShare'];
  checkOptions(sampler, ['kind', ...known], `the ${kind} sampler ${of}`);
  if (sampler.kind !== 'uniform') checkDensityWeights(sampler, of);
}

function checkDensityWeights({ targetEss, uniformShare = 0 }: DensityWeights, of: string): void {
  checkNumber(`targetEss ${of}`, targetEss, 0, 1);
  if (targetEss === 0) throw new InvalidArgumentError(`targetEss ${of} must be above 0, got 0`);
  checkNumber(`uniformShare ${of}`, uniformShare, 0, 1);
}

function checkTreatment(treatment: ArmTreatment, of: string): void {
  const kind = Object(treatment).kind as ArmTreatment['kind'];
  checkOneOf(`the kind of the treatment ${of}`, kind, Object.keys(treatmentNames) as ArmTreatment['kind'][]);
  const { kind: _, ...options } = checkOptions(treatment, ['kind', ...treatmentNames[kind]], `the treatment ${of}`);
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || Number.isFinite(value)) continue;
    throw new InvalidArgumentError(`${option} ${of} must be a finite number, got ${shown(value)}`);
  }
}
