import type { CallOptions, DensityEstimator, Weighting } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { type AgreementReport, agreementReport, type PromptWeights, sideBySide, weighPrompts } from '@rarefy/density';
import { openEmbeddings } from '@rarefy/embeddings';
import type { OptionValues } from '../shell/options.js';
import { type EmbedderValues, openEmbedder } from './embedder.js';
import { namingFile, namingPrompt, type PromptFile, rowsOf } from './embeddings.js';
import {
  type EstimatorName,
  type EstimatorValues,
  estimatorDetailsOf,
  type OpenEstimator,
  openEstimator,
} from './estimator.js';
import type { EngineName } from './neighbor-engine.js';
import { openWeighting, type weightingOptions } from './weighting.js';

/** How prompts are weighed: `rarefy density`, `train grpo` and `train rm` have these options. */
export type WeighingValues = EmbedderValues &
  PromptFile &
  EstimatorValues &
  OptionValues<typeof weightingOptions> & {
    /** Embeddings file, in place of an embedder. */
    readonly embeddings: string | undefined;
  };

export interface WeighedPrompts extends PromptWeights {
  readonly ids: readonly string[];
}

/** Weighs prompts as the options say; all rows of `values.embeddings` if no prompts are given. */
export async function openPromptWeights(
  prompts: readonly PromptRecord[] | undefined,
  values: WeighingValues,
  options: CallOptions,
): Promise<WeighedPrompts> {
  const { estimator, epsilon } = await openEstimator(values);
  return weigh(prompts, values, estimator, await openWeighting(values, epsilon), options);
}

async function weigh(
  prompts: readonly PromptRecord[] | undefined,
  values: WeighingValues,
  estimator: DensityEstimator,
  weighting: Weighting,
  options: CallOptions,
): Promise<WeighedPrompts> {
  if (values.embeddings !== undefined) {
    const file = values.embeddings;
    await using reader = await openEmbeddings(file, options);
    const rows = prompts ? await rowsOf(prompts, reader, file, values, options) : reader;
    // hnsw saves the most memory if it reads even a small file in blocks.
    const memory = values.neighbors === 'hnsw' ? { memoryBytes: 0 } : {};
    const weighed = await namingFile(file, weighPrompts(rows, { estimator, weighting, ...memory, ...options }));
    return { ids: prompts?.map(({ id }) => id) ?? reader.ids, ...weighed };
  }
  const records = prompts ?? [];
  const { embedder, batchSize } = await openEmbedder(values, options);
  await using _ = embedder;
  const texts = records.map(({ prompt }) => prompt);
  const weighing = weighPrompts(texts, { embedder, estimator, weighting, batchSize, ...options });
  const weighed = await namingPrompt(records, weighing);
  return { ids: records.map(({ id }) => id), ...weighed };
}

/** How two ways to weigh the prompts agree. */
export interface Agreement extends AgreementReport {
  /** The other way, for the terminal. */
  readonly name: string;
  readonly against: ReturnType<typeof estimatorDetailsOf>;
}

export interface ComparedWeights extends WeighedPrompts {
  /** What a report says about the estimator. */
  readonly details: ReturnType<typeof estimatorDetailsOf>;
  readonly agreement?: Agreement;
}

/** Weighs prompts, and compares with another estimator or neighbor search if one is given. The prompts are embedded once. */
export async function comparePromptWeights(
  prompts: readonly PromptRecord[] | undefined,
  values: WeighingValues,
  other: { readonly estimator: EstimatorName | undefined; readonly neighbors: EngineName | undefined },
  options: CallOptions,
): Promise<ComparedWeights> {
  const own = await openEstimator(values);
  const weighting = await openWeighting(values, own.epsilon);
  if (other.estimator === undefined && other.neighbors === undefined) {
    const weighed = await weigh(prompts, values, own.estimator, weighting, options);
    return { ...weighed, details: estimatorDetailsOf(own) };
  }
  const { estimator = values.estimator, neighbors = values.neighbors } = other;
  const compared = await openEstimator({ ...values, estimator, neighbors });
  const both = sideBySide(own.estimator, compared.estimator);
  const weighed = await weigh(prompts, values, both.estimator, weighting, options);
  const otherDensity = both.otherDensity();
  const otherWeights = (await openWeighting(values, compared.epsilon))(otherDensity);
  const agreement = agreementReport(weighed, { density: otherDensity, weights: otherWeights });
  return { ...weighed, details: estimatorDetailsOf(own), agreement: { ...nameOf(compared), ...agreement } };
}

function nameOf(compared: OpenEstimator) {
  const { name, engine } = compared;
  return { name: engine ? `${name}, ${engine.name}` : name, against: estimatorDetailsOf(compared) };
}
