import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { type CallOptions, type Embedder, InputError, InvalidArgumentError } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import type { Arm, Experiment } from '@rarefy/experiment';
import { backendOption } from '../open/backend.js';
import { embedderNames, embedderOptions } from '../open/embedders.js';
import { openRewards, rewardOptions } from '../open/rewards.js';
import { choice, integer, number, text } from '../shell/define-option.js';
import { didYouMean } from '../shell/did-you-mean.js';
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

/** How `rarefy compare` is told what to compare. */
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
  const { defineExperiment } = await import('@rarefy/experiment');
  const { experiment: file, arms, seeds, maxSteps: steps } = values;
  const { experiment, code } =
    file === undefined ? await fromOptions(values, given, folder, options) : await fromFile(file, given);
  const chosen = {
    ...(arms !== undefined && { arms: await armsNamed(arms, experiment.arms) }),
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

/** @throws InvalidArgumentError for a name that is neither a set of arms nor an arm. */
async function armsNamed(names: string, own: readonly Arm[]): Promise<readonly Arm[]> {
  const { armSets } = await import('@rarefy/experiment');
  const sets: Readonly<Record<string, readonly Arm[]>> = armSets;
  const known = new Map([...Object.values(sets).flat(), ...own].map((arm) => [arm.name, arm]));
  const arms = names.split(',').flatMap((name) => {
    const found = sets[name] ?? known.get(name);
    if (found) return found;
    const all = [...Object.keys(sets), ...known.keys()];
    throw new InvalidArgumentError(`--arms has no set and no arm ${JSON.stringify(name)}.${didYouMean(name, all)}`);
  });
  return [...new Set(arms)];
}

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
  const { pairs, backend, maxSteps = 100 } = values;
  if (pairs === undefined) throw new InvalidArgumentError('give the file of an experiment, or --pairs.');
  const { readPairs, uniquePrompts } = await import('@rarefy/data');
  const { armSets, holdOut } = await import('@rarefy/experiment');
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
  const openCheck = async () => (await openNamedEmbedder(check, backend, options)).embedder;
  const driving = { ...values, embedder, ckpt, batchSize: undefined };

  const all = await uniquePrompts(readPairs(pairs, options));
  const split =
    (await plannedSplit(folder, all, values.heldOut)) ??
    holdOut(all, promptsOfTopic(all) ?? (await densityBy(openCheck, all, options)), { count: values.heldOut });
  const labels = (label: (prompt: PromptRecord) => string | undefined) => {
    const found = split.prompts.map((prompt) => label(prompt) ?? '');
    return new Set(found).size > 1 && !found.includes('') ? { labels: found } : undefined;
  };
  const [topic, source] = [labels((prompt) => prompt.topic), labels(({ sources }) => sources[0])];
  const { codeDigest } = await import('../open/import-file.js');
  const identityOf = (name: string) => (isCodeFile(name) ? codeDigest(name) : name);
  const { pooling, modelDtype, urlModel } = values;
  const identity = [
    rewards.map(({ name, weight, identity }) => [name, weight, identity]),
    [await identityOf(embedder), ckpt, pooling, modelDtype, urlModel, await identityOf(check)],
  ];
  return {
    code: createHash('sha256').update(JSON.stringify(identity)).digest('hex'),
    experiment: {
      name: basename(pairs, extname(pairs)),
      hypothesis: 'Drawing rare prompts more often changes the number of distinct good answers to a held-out prompt.',
      model,
      arms: armSets.claim,
      seeds: [1, 2, 3, 4, 5, 6, 7, 8],
      ...split,
      rewards(_, { rewardModel }) {
        if (rewardModel === undefined) return rewards.map(({ name, reward, weight }) => ({ name, reward, weight }));
        throw new InvalidArgumentError(
          'arms with a rewardModel need the file of an experiment, whose rewards know both.',
        );
      },
      embedders: { [nameOf(embedder)]: async () => (await openEmbedder(driving, options)).embedder },
      rarities: { ...(topic && { topic }), ...(source && { source }), [nameOf(check)]: { embedder: openCheck } },
      training: {
        ...{ steps: maxSteps, batchSize: values.batchSize, groupSize: values.groupSize, maxGradNorm: 1 },
        ...{ learningRate: values.learningRate, maxCompletionLength: values.maxCompletionLength },
      },
      evaluation: { answers: values.answers, every: Math.ceil(maxSteps / 4) },
      secondary: ['em-dashes', 'vocabulary-ratio', 'self-bleu-prompt', 'entropy', 'reward'],
      answerEmbedder: openCheck,
      outcome: (_prompt, text) => (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' '),
    },
  };
}

/** How many prompts have the topic of each prompt; undefined unless there are topics enough to tell crowded from rare ones. */
function promptsOfTopic(prompts: readonly PromptRecord[]): number[] | undefined {
  const counts = new Map<string | undefined, number>();
  for (const { topic } of prompts) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  return counts.size < 10 || counts.has(undefined) ? undefined : prompts.map(({ topic }) => counts.get(topic)!);
}

/** The held-out prompts of the plan in the folder, if it has as many; choosing them takes an embedding of all prompts. */
async function plannedSplit(folder: string, all: readonly PromptRecord[], count: number) {
  const { readPlan } = await import('@rarefy/experiment');
  const plan = await readPlan(folder).catch(() => undefined);
  if (plan?.heldOut.length !== count) return undefined;
  const stratumOf = new Map(plan.heldOut.map(({ id, stratum }) => [id, stratum]));
  return {
    prompts: all.filter(({ id }) => !stratumOf.has(id)),
    heldOut: all.flatMap(({ id, prompt }) => (stratumOf.has(id) ? { id, prompt, stratum: stratumOf.get(id)! } : [])),
    strata: plan.strata,
  };
}

async function densityBy(open: () => Promise<Embedder>, prompts: readonly PromptRecord[], options: CallOptions) {
  const { weighPrompts } = await import('@rarefy/density');
  await using embedder = await open();
  const texts = prompts.map(({ prompt }) => prompt);
  return (await weighPrompts(texts, { embedder, ...options, onEvent: () => {} })).density;
}

/** Name of an embedder in the experiment. */
function nameOf(embedder: string): string {
  return isCodeFile(embedder) ? basename(embedder, extname(embedder)).replaceAll(/[^A-Za-z0-9]+/g, '-') : embedder;
}
