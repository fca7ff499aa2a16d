import type { CallOptions, Embedder } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { weighPrompts } from '@rarefy/density';
import { armSets } from '../arms/arm-sets.js';
import { defineExperiment } from '../experiment/define-experiment.js';
import type { Experiment } from '../experiment/experiment.js';
import { holdOut } from '../experiment/hold-out.js';
import { readPlan } from '../plan/plan-files.js';

/** An embedder with its name in the experiment. */
export interface NamedEmbedder {
  readonly name: string;
  readonly open: () => Promise<Embedder>;
}

export interface PromptExperiment extends Pick<Experiment, 'name' | 'model' | 'rewards' | 'training'> {
  /** All prompts, those to hold out included. */
  readonly prompts: readonly PromptRecord[];
  /** Number of prompts to hold out. */
  readonly heldOut: number;
  /** Answers per held-out prompt. */
  readonly answers: number;
  /** Drives the draws. */
  readonly embedder: NamedEmbedder;
  /** Does not; verifies the draws, and makes the strata if topics do not. */
  readonly check: NamedEmbedder;
  /** Folder of the results. If its plan holds as many prompts out, they are the same, and nothing is embedded to choose them. */
  readonly folder: string;
}

/**
 * The experiment of `rarefy compare` without a file: the arms `claim` on 8 seeds. Strata are by topic, if the prompts have at least
 * 10 topics, and else by density. Draws are verified by topic and source, if all prompts have them, and by an embedder. Answers
 * are judged by their reward alone.
 * @throws what `holdOut` and `defineExperiment` throw.
 */
export async function experimentOfPrompts(
  { prompts: all, heldOut: count, answers, embedder, check, folder, ...shared }: PromptExperiment,
  options: CallOptions = {},
): Promise<Experiment> {
  const split =
    (await plannedSplit(folder, all, count)) ??
    holdOut(all, promptsOfTopic(all) ?? (await densityBy(check, all, options)), { count });
  const labels = (label: (prompt: PromptRecord) => string | undefined) => {
    const found = split.prompts.map((prompt) => label(prompt) ?? '');
    return new Set(found).size > 1 && !found.includes('') ? { labels: found } : undefined;
  };
  const [topic, source] = [labels((prompt) => prompt.topic), labels(({ sources }) => sources[0])];
  return defineExperiment({
    ...{ ...shared, ...split },
    hypothesis: 'Drawing rare prompts more often changes the number of distinct good answers to a held-out prompt.',
    arms: armSets.claim,
    seeds: [1, 2, 3, 4, 5, 6, 7, 8],
    embedders: { [embedder.name]: embedder.open },
    rarities: { ...(topic && { topic }), ...(source && { source }), [check.name]: { embedder: check.open } },
    evaluation: { answers, every: Math.ceil(shared.training.steps / 4) },
    secondary: ['em-dashes', 'vocabulary-ratio', 'self-bleu-prompt', 'entropy', 'reward'],
    answerEmbedder: check.open,
    outcome: (_prompt, text) => (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' '),
  });
}

/** How many prompts have the topic of each prompt; undefined unless there are topics enough to tell crowded from rare ones. */
function promptsOfTopic(prompts: readonly PromptRecord[]): number[] | undefined {
  const counts = new Map<string | undefined, number>();
  for (const { topic } of prompts) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  return counts.size < 10 || counts.has(undefined) ? undefined : prompts.map(({ topic }) => counts.get(topic)!);
}

/** The held-out prompts of the plan in the folder, if it has as many; choosing them takes an embedding of all prompts. */
async function plannedSplit(folder: string, all: readonly PromptRecord[], count: number) {
  const plan = await readPlan(folder).catch(() => undefined);
  if (plan?.heldOut.length !== count) return undefined;
  const stratumOf = new Map(plan.heldOut.map(({ id, stratum }) => [id, stratum]));
  return {
    prompts: all.filter(({ id }) => !stratumOf.has(id)),
    heldOut: all.flatMap(({ id, prompt }) => (stratumOf.has(id) ? { id, prompt, stratum: stratumOf.get(id)! } : [])),
    strata: plan.strata,
  };
}

async function densityBy({ open }: NamedEmbedder, prompts: readonly PromptRecord[], options: CallOptions) {
  await using embedder = await open();
  const texts = prompts.map(({ prompt }) => prompt);
  return (await weighPrompts(texts, { embedder, ...options, onEvent: () => {} })).density;
}
