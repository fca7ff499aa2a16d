import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { type CallOptions, InputError, InvalidArgumentError } from '@rarefy/core';
import type { Experiment } from '@rarefy/experiment';
import { backendOption } from '../open/backend.js';
import { embedderNames, embedderOptions } from '../open/embedders.js';
import { openRewards, rewardOptions } from '../open/rewards.js';
import { choice, integer, number, text } from '../shell/define-option.js';
import { isCodeFile, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { modelOption } from './run-training.js';

/** An experiment without a file: these options describe it, and a file takes their place. */
const settingOptions = {
  ...under('Data', {
    pairs: text('file', 'JSON Lines of pairs, whose distinct prompts are trained on, but for those held out'),
    'held-out': integer(
      'Prompts that no run trains on: a third each from the most crowded tenth, the middle and the rarest tenth, by topic if the pairs have at least 10 topics, and else by --check-embedder',
      { default: 60, min: 3 },
    ),
  }),
  ...modelOption,
  ...embedderOptions,
  ...under('Sampling', {
    'check-embedder': choice(
      embedderNames,
      'Embedder that does not drive the draws: it makes the strata, and shows whether draws go to prompts that it finds rare too. Default hash, or use with --embedder hash',
      { orFile: true },
    ),
  }),
  ...under('Completions', {
    'group-size': integer('Completions per prompt', { default: 8, min: 2 }),
    'max-completion-length': integer('Largest number of new tokens', { default: 128, min: 1 }),
  }),
  ...rewardOptions,
  ...under('Optimizer', { 'learning-rate': number('Learning rate', { default: 1e-5, min: 0 }) }),
  ...under('Training', { 'batch-size': integer('Prompts per step', { default: 32, min: 1 }) }),
  ...under('Evaluation', { answers: integer('Answers per held-out prompt', { default: 8, min: 2 }) }),
} as const satisfies OptionDefinitions;

/** What `rarefy compare` compares. */
export const experimentOptions = {
  experiment: text(
    'experiment.ts',
    'TypeScript or JavaScript file whose default export is what defineExperiment returns, or a function that returns it. The file is run: use only code that you trust',
  ),
  ...settingOptions,
  ...under('Model', backendOption),
  ...under('Training', {
    arms: text(
      'claim,…',
      'Sets of arms, or names of arms; the first arm is the baseline. Default those of the file, or claim',
    ),
    seeds: text('n|list', 'A number n for the seeds 1 to n, or a list such as 1,2,5. Default those of the file, or 8'),
    'max-steps': integer('Steps of each run. Default those of the file, or 100', { min: 1 }),
  }),
} as const satisfies OptionDefinitions;

type ExperimentValues = OptionValues<typeof experimentOptions>;

interface OpenExperiment {
  readonly experiment: Experiment;
  /** SHA-256 of what the plan holds only as functions: the code of the file, or the options in its place. */
  readonly code: string;
}

/**
 * The experiment of a file or of options.
 * @param folder of the results; the held-out prompts are those of its plan, if it has one
 * @throws InputError for a file that exports no experiment; InvalidArgumentError for options that do not go together.
 */
export async function openExperiment(
  values: ExperimentValues,
  given: ReadonlySet<string>,
  folder: string,
  options: CallOptions,
): Promise<OpenExperiment> {
  const { armsNamed, defineExperiment } = await import('@rarefy/experiment');
  const { experiment: file, arms, seeds, maxSteps: steps } = values;
  const { experiment, code } =
    file === undefined ? await fromOptions(values, given, folder, options) : await fromFile(file, given);
  const chosen = {
    ...(arms !== undefined && { arms: armsNamed(arms.split(','), experiment.arms) }),
    ...(seeds !== undefined && { seeds: parseSeeds(seeds) }),
    ...(steps !== undefined && { training: { ...experiment.training, steps } }),
  };
  return { experiment: defineExperiment({ ...experiment, ...chosen }), code };
}

async function fromFile(file: string, given: ReadonlySet<string>): Promise<OpenExperiment> {
  const ignored = Object.keys(settingOptions).find((name) => given.has(name));
  if (ignored)
    throw new InvalidArgumentError(`--${ignored} describes an experiment without a file; ${file} decides it.`);
  const { importFile } = await import('../open/import-file.js');
  const { called } = await import('../open/factory.js');
  const { exports, digest } = await importFile(file);
  const own = await exports.default;
  const experiment =
    typeof own === 'function' ? await called(own as never, file, [], 'without arguments', advice) : own;
  if (typeof experiment === 'object' && experiment !== null)
    return { experiment: experiment as Experiment, code: digest };
  throw new InputError(
    `the default export of ${file} is no experiment. ${advice}, as in: export default defineExperiment({ … })`,
  );
}

const advice = 'It must be what defineExperiment of @rarefy/experiment returns, or a function that returns it';

function parseSeeds(given: string): number[] {
  const numbers = given.split(',').map(Number);
  if (!/^\d+(,\d+)*$/.test(given) || (numbers[0] === 0 && numbers.length === 1)) {
    throw new InvalidArgumentError(
      `--seeds must be a number of seeds such as 8, or a list such as 1,2,5; got ${given}.`,
    );
  }
  return numbers.length > 1 ? numbers : Array.from({ length: numbers[0]! }, (_, index) => index + 1);
}

async function fromOptions(
  values: ExperimentValues,
  given: ReadonlySet<string>,
  folder: string,
  options: CallOptions,
): Promise<OpenExperiment> {
  const { pairs, backend } = values;
  if (pairs === undefined) throw new InvalidArgumentError('give the file of an experiment, or --pairs.');
  const { readPairs, uniquePrompts } = await import('@rarefy/data');
  const { experimentOfPrompts } = await import('@rarefy/experiment');
  const { chooseEmbedder, openEmbedder, openNamedEmbedder } = await import('../open/embedder.js');
  const { modelFolder } = await import('../open/model.js');
  const model = await modelFolder(values.model);
  const rewards = await openRewards(values, given);
  const isOfModel = values.embedder === 'logits' || values.embedder === 'causal-lm';
  const ckpt = values.ckpt ?? (isOfModel ? model : undefined);
  const { name: embedder } = await chooseEmbedder({ embedder: values.embedder, ckpt });
  const { checkEmbedder: check = embedder === 'hash' ? 'use' : 'hash' } = values;
  if (check === embedder) {
    throw new InvalidArgumentError(`--check-embedder ${check} drives the draws already; choose another one.`);
  }
  const { codeDigest } = await import('../open/import-file.js');
  const identityOf = (name: string) => (isCodeFile(name) ? codeDigest(name) : name);
  const { pooling, modelDtype, urlModel } = values;
  const identity = [
    rewards.map(({ name, weight, identity }) => [name, weight, identity]),
    [await identityOf(embedder), ckpt, pooling, modelDtype, urlModel, await identityOf(check)],
  ];
  const { heldOut, answers, maxSteps: steps = 100, batchSize, groupSize, learningRate, maxCompletionLength } = values;
  const experiment = await experimentOfPrompts(
    {
      ...{ name: basename(pairs, extname(pairs)), model, folder, heldOut, answers },
      prompts: await uniquePrompts(readPairs(pairs, options)),
      rewards(_, { rewardModel }) {
        if (rewardModel === undefined) return rewards.map(({ name, reward, weight }) => ({ name, reward, weight }));
        throw new InvalidArgumentError(
          'arms with a rewardModel need an experiment in a file, whose rewards know both.',
        );
      },
      embedder: {
        name: nameOf(embedder),
        open: async () => (await openEmbedder({ ...values, embedder, ckpt, batchSize: undefined }, options)).embedder,
      },
      check: { name: nameOf(check), open: async () => (await openNamedEmbedder(check, backend, options)).embedder },
      training: { steps, batchSize, groupSize, learningRate, maxCompletionLength, maxGradNorm: 1 },
    },
    options,
  );
  return { code: createHash('sha256').update(JSON.stringify(identity)).digest('hex'), experiment };
}

/** Name of an embedder in the experiment. */
function nameOf(embedder: string): string {
  return isCodeFile(embedder) ? basename(embedder, extname(embedder)).replaceAll(/[^A-Za-z0-9]+/g, '-') : embedder;
}
