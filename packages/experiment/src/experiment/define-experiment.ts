import {
  checkInteger,
  checkItemArray,
  checkOptions,
  checkSeed,
  described,
  InvalidArgumentError,
  nearestName,
  shown,
} from '@rarefy/core';
import { knnDistance } from '@rarefy/density';
import { policyLosses } from '@rarefy/grpo';
import { checkOpenUnit } from '@rarefy/statistics';
import { type Arm, checkArms } from '../arms/arm.js';
import type { Experiment, ExperimentEvaluation, HeldOutPrompt } from './experiment.js';

const names = [
  ...['name', 'hypothesis', 'model', 'arms', 'seeds', 'prompts', 'heldOut', 'strata', 'rewards', 'judge', 'embedders'],
  ...['estimators', 'weighting', 'rarities', 'training', 'evaluation', 'primary', 'secondary', 'alpha', 'gates'],
  ...['outcome', 'answerEmbedder'],
];

/**
 * Checks an experiment and fills in the defaults of `estimators`, `primary`, `secondary`, `alpha` and `evaluation`.
 * @returns a frozen experiment
 * @throws InvalidArgumentError naming the first field that is missing, unknown or out of range, that names something the experiment
 *   does not have, or that does not fit another field.
 */
export function defineExperiment(options: Experiment): Experiment {
  const given = checkOptions(options, names, 'defineExperiment');
  for (const name of ['name', 'hypothesis', 'model'] as const) {
    if (typeof given[name] === 'string' && given[name] !== '') continue;
    throw new InvalidArgumentError(`${name} of the experiment must be a text, got ${shown(given[name])}`);
  }
  const {
    estimators = { knn: knnDistance({ k: 10 }) },
    primary = 'distinct-good',
    secondary = [],
    alpha = 0.05,
  } = given;
  const experiment = { ...given, estimators, primary, secondary, alpha, evaluation: checkEvaluation(given.evaluation) };
  checkOpenUnit('alpha', alpha);
  if (secondary.includes(primary)) {
    throw new InvalidArgumentError(`"${primary}" is the primary measure and among the secondary ones; drop it there`);
  }
  checkTraining(experiment);
  checkPrompts(experiment);
  checkNamed('embedders', given.embedders);
  checkNamed('estimators', estimators);
  checkNamed('rarities', given.rarities);
  checkRarities(experiment);
  checkArms(given.arms);
  for (const arm of given.arms) checkArmOf(experiment, arm);
  for (const seed of given.seeds ?? []) checkSeed(seed);
  if (!Array.isArray(given.seeds) || given.seeds.length === 0 || new Set(given.seeds).size < given.seeds.length) {
    throw new InvalidArgumentError(`seeds must be a list of distinct integers, got ${shown(given.seeds)}`);
  }
  return Object.freeze(experiment);
}

function checkEvaluation(evaluation: ExperimentEvaluation): ExperimentEvaluation {
  const known = ['answers', 'every', 'answersDuring', 'k', 'batchSize'] satisfies (keyof ExperimentEvaluation)[];
  const { answers, every, answersDuring = 2, batchSize = 32, ...rest } = checkOptions(evaluation, known, 'evaluation');
  checkInteger('evaluation.answers', answers, 2);
  const { k = Math.floor(answers / 2) } = rest;
  if (every !== undefined) checkInteger('evaluation.every', every, 1);
  checkInteger('evaluation.answersDuring', answersDuring, 1);
  checkInteger('evaluation.k', k, 1, answers);
  checkInteger('evaluation.batchSize', batchSize, 1);
  return { answers, ...(every !== undefined && { every }), answersDuring, k, batchSize };
}

function checkTraining({ training, rewards, arms }: Experiment): void {
  checkInteger('training.steps', Object(training).steps, 1);
  checkInteger('training.maxCompletionLength', training.maxCompletionLength, 1);
  if (typeof rewards !== 'function') {
    throw new InvalidArgumentError(
      `rewards must be a function from the start model to a list of rewards, got ${described(rewards)}`,
    );
  }
  const { loss } = training;
  const arm = arms.find(({ entropyCoef }) => entropyCoef !== undefined);
  if (arm !== undefined && loss !== undefined && !(loss.name in policyLosses)) {
    throw new InvalidArgumentError(
      `arm "${arm.name}" changes entropyCoef, which the loss '${loss.name}' of your own does not take; use one of @rarefy/grpo`,
    );
  }
}

function checkPrompts({ prompts, heldOut, strata }: Experiment): void {
  checkItemArray(prompts, 'defineExperiment');
  checkItemArray(heldOut, 'heldOut of defineExperiment');
  if (prompts.length === 0) throw new InvalidArgumentError('there are no training prompts; give at least one');
  if (!Array.isArray(strata) || strata.length === 0 || new Set(strata).size < strata.length) {
    throw new InvalidArgumentError(`strata must be a list of distinct names, got ${shown(strata)}`);
  }
  const texts = new Set(prompts.map(({ prompt }) => prompt));
  const ids = new Set<string>();
  for (const { id, prompt, stratum } of heldOut as readonly HeldOutPrompt[]) {
    if (!strata.includes(stratum)) {
      throw new InvalidArgumentError(
        `the held-out prompt ${shown(id)} has the stratum ${shown(stratum)}; strata are ${strata.join(', ')}`,
      );
    }
    if (ids.has(id)) throw new InvalidArgumentError(`two held-out prompts have the id ${shown(id)}`);
    ids.add(id);
    if (!texts.has(prompt)) continue;
    throw new InvalidArgumentError(
      `the held-out prompt ${shown(id)} is among the training prompts; remove it from them`,
    );
  }
  const empty = strata.find((stratum) => !heldOut.some((prompt) => prompt.stratum === stratum));
  if (empty !== undefined) throw new InvalidArgumentError(`no held-out prompt has the stratum "${empty}"`);
}

/** Names become names of files. */
function checkNamed(what: string, record: Readonly<Record<string, unknown>>): void {
  if (Object.keys(Object(record)).length === 0) {
    throw new InvalidArgumentError(`${what} must have at least one entry by name, got ${shown(record)}`);
  }
  const bad = Object.keys(record).find((name) => !/^[A-Za-z0-9][A-Za-z0-9._]*(-[A-Za-z0-9._]+)*$/.test(name));
  if (bad === undefined) return;
  throw new InvalidArgumentError(`a name in ${what} must be of letters, digits, - . and _, got ${shown(bad)}`);
}

function checkRarities({ rarities, prompts }: Experiment): void {
  for (const [name, check] of Object.entries(rarities)) {
    if ('embedder' in check) continue;
    if (check.labels?.length === prompts.length) continue;
    throw new InvalidArgumentError(
      `the rarity check "${name}" has ${check.labels?.length ?? 'no'} labels for ${prompts.length} prompts; give one per prompt`,
    );
  }
}

function checkArmOf({ embedders, estimators = {}, outcome, answerEmbedder }: Experiment, arm: Arm): void {
  const known = { embedder: Object.keys(embedders), estimator: Object.keys(estimators) };
  for (const field of ['embedder', 'estimator'] as const) {
    const name = arm[field];
    if (name === undefined || known[field].includes(name)) continue;
    const near = nearestName(name, known[field]) ?? known[field].join(', ');
    throw new InvalidArgumentError(`arm "${arm.name}" has the ${field} "${name}", which is not there; use ${near}`);
  }
  const needs = {
    'inverse-probability': { outcome },
    'completion-density': { answerEmbedder },
    'focal-difficulty': {},
  };
  for (const [field, value] of Object.entries(arm.treatment === undefined ? {} : needs[arm.treatment.kind])) {
    if (typeof value === 'function') continue;
    throw new InvalidArgumentError(`arm "${arm.name}" is treated by ${arm.treatment!.kind}, which needs \`${field}\``);
  }
}
