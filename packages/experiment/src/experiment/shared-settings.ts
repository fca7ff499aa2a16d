import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digest, InputError } from '@rarefy/core';
import { sha256File } from '@rarefy/io';
import type { Arm } from '../arms/arm.js';
import type { Experiment } from './experiment.js';

/** Distance of the streams of arms that differ only by their name. */
const streamStride = 1_000_003;

/** What decides the numbers of a run besides its arm and seed, as JSON. */
export function sharedSettings(experiment: Experiment): Readonly<Record<string, unknown>> {
  const { training, evaluation, estimators = {} } = experiment;
  const { schedule = () => 1, loss, steps } = training;
  const rates = Float64Array.from({ length: steps }, (_, index) => schedule(index + 1, steps));
  const fingerprints = Object.entries(estimators).map(([name, { fingerprint }]) => [name, fingerprint]);
  return asJson({
    training: { ...training, schedule: `digest ${digest(rates)}`, loss: loss && { name: loss.name, ...loss.settings } },
    evaluation,
    densities: densityNames(experiment),
    estimators: Object.fromEntries(fingerprints),
  });
}

/** The densities that arms use, as `EMBEDDER-ESTIMATOR`; the first is the default. */
export function densityNames(experiment: Experiment): string[] {
  return [...new Set([densityName(experiment), ...experiment.arms.map((arm) => densityName(experiment, arm))])];
}

export function densityName(experiment: Experiment, arm: Partial<Arm> = {}): string {
  const { embedder, estimator } = densityOf(experiment, arm);
  return `${embedder}-${estimator}`;
}

/** The names of the embedder and the estimator of an arm. */
export function densityOf({ embedders, estimators = {} }: Experiment, arm: Partial<Arm> = {}) {
  const { embedder = Object.keys(embedders)[0]!, estimator = Object.keys(estimators)[0]! } = arm;
  return { embedder, estimator };
}

/** The seed of the sampler and of generation: the seed, and another one for an arm that equals an earlier one but for its name. */
export function streamSeed(arms: readonly Arm[], arm: Arm, seed: number): number {
  const contentOf = ({ name: _, ...content }: Arm) => JSON.stringify(content, Object.keys(content).sort());
  const deep = (one: Arm) => contentOf(one) + JSON.stringify([one.sampler, one.treatment, one.reweightLoss]);
  const earlier = arms.slice(
    0,
    arms.findIndex(({ name }) => name === arm.name),
  );
  return seed + streamStride * earlier.filter((other) => deep(other) === deep(arm)).length;
}

/**
 * Digests of everything that the runs of an experiment share.
 * @param code digest of the code of the experiment; default: that of the text of its functions
 */
export async function sharedDigests(experiment: Experiment, code?: string) {
  const { model, prompts, heldOut, rewards, judge, outcome, weighting } = experiment;
  const ofPrompts = (list: readonly { readonly id: string; readonly prompt: string }[]) =>
    sha256(JSON.stringify(list.map(({ id, prompt }) => [id, prompt])));
  return {
    model: await modelDigest(model),
    prompts: ofPrompts(prompts),
    heldOut: ofPrompts(heldOut),
    code: code ?? sha256([rewards, judge, outcome, weighting].join('\n')),
  };
}

async function modelDigest(model: string): Promise<string> {
  if (model.endsWith('.gguf')) return sha256File(model);
  const files = await readdir(model).catch((cause: unknown) => {
    throw new InputError(`cannot read the folder of the start model, ${model}`, { cause });
  });
  const digests: string[] = [];
  for (const file of files.filter((name) => /\.(safetensors|json)$/.test(name)).sort()) {
    digests.push(`${file} ${await sha256File(join(model, file))}`);
  }
  return sha256(digests.join('\n'));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The value as it is after writing and reading it. */
export function asJson<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}
