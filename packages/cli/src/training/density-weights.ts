import { join } from 'node:path';
import { type CallOptions, StateMismatchError, type Weighting } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { type DensityReport, densityOf, densityReport, knnDistance } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import { quoted, readJsonl, writeJsonl } from '@rarefy/io';
import type { LoadedModel } from '@rarefy/lm';

/** Densities and weights of prompts, one a prompt, and what the weights do to the draws. */
export interface DensityWeights {
  readonly densities: Float64Array;
  readonly weights: Float64Array;
  readonly report: DensityReport;
}

/**
 * Weighs prompts by the inverse density of the model's mean logits, and writes `weights.jsonl` into the run's folder. A resumed
 * run takes them from there, since the model has moved on.
 * @throws StateMismatchError when the saved weights are of other prompts.
 */
export async function densityWeights(
  prompts: readonly PromptRecord[],
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  {
    folder,
    resume,
    k,
    weighting,
    ...options
  }: { folder: string; resume: boolean; k: number; weighting: Weighting } & CallOptions,
): Promise<DensityWeights> {
  const path = join(folder, 'weights.jsonl');
  const saved = resume ? await readWeights(path, prompts) : undefined;
  const densities = saved?.densities ?? (await measure(prompts, loaded, k, options));
  const weights = saved?.weights ?? weighting(densities);
  const report = densityReport(densities, weights);
  for (const message of report.warnings)
    options.onEvent?.({ type: 'work-warning', task: 'weigh', code: 'weights', message });
  if (!saved) await writeWeights(path, prompts, densities, weights, options);
  return { densities, weights, report };
}

async function measure(
  prompts: readonly PromptRecord[],
  loaded: Pick<LoadedModel, 'model' | 'tokenizer'>,
  k: number,
  options: CallOptions,
): Promise<Float64Array> {
  const texts = prompts.map(({ prompt }) => prompt);
  const embedder = await logitsEmbedder(loaded, options);
  return (await densityOf<string>(texts, { embedder, estimator: knnDistance({ k }), ...options })).density;
}

/** Writes `{id, density, weight, probability}` lines, one a prompt and in order. */
export async function writeWeights(
  path: string,
  prompts: readonly { readonly id: string }[],
  densities: Float64Array,
  weights: Float64Array,
  options: CallOptions = {},
): Promise<void> {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const lines = prompts.map(({ id }, row) => ({
    id,
    density: densities[row],
    weight: weights[row],
    probability: weights[row]! / total,
  }));
  await writeJsonl(path, lines, options);
}

async function readWeights(
  path: string,
  prompts: readonly PromptRecord[],
): Promise<Pick<DensityWeights, 'densities' | 'weights'>> {
  const densities: number[] = [];
  const weights: number[] = [];
  const mismatch = (what: string) =>
    new StateMismatchError(`${path} ${what}; give the same --pairs, or begin anew with another --out`);
  for await (const { value, line } of readJsonl(path)) {
    const { id, density, weight } = (value ?? {}) as Readonly<Record<'id' | 'density' | 'weight', unknown>>;
    const expected = prompts[weights.length]?.id;
    if (expected === undefined) throw mismatch(`has more lines than the pairs have prompts, ${prompts.length}`);
    if (id !== expected) {
      const found = typeof id === 'string' ? `the id ${quoted(id)}` : 'no id';
      throw mismatch(`is of other prompts: line ${line} has ${found} where the pairs have ${quoted(expected)}`);
    }
    if (typeof density !== 'number' || typeof weight !== 'number') {
      throw mismatch(`has no density or no weight in line ${line}`);
    }
    densities.push(density);
    weights.push(weight);
  }
  if (weights.length < prompts.length) {
    throw mismatch(`has ${weights.length} weights and the pairs have ${prompts.length} prompts`);
  }
  return { densities: Float64Array.from(densities), weights: Float64Array.from(weights) };
}
