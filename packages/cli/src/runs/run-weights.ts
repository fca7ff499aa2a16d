import { join } from 'node:path';
import { type CallOptions, digest, type Sampler } from '@rarefy/core';
import type { PromptRecord, WeightColumns } from '@rarefy/data';
import { embedderOptions, embedderSummaries } from '../open/embedders.js';
import { checkEstimatorOptions, estimatorOptions } from '../open/estimator.js';
import type { OpenModel } from '../open/model.js';
import { weightingOptions } from '../open/weighting.js';
import { checkExclusive } from '../shell/check-options.js';
import { flag, text } from '../shell/define-option.js';
import { camelCase, isCodeFile, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';

/** How a training run draws its prompts. Every option but `--density-aware` is one of `rarefy density`, or reads a file. */
export const samplingOptions = {
  ...under('Sampling', {
    'density-aware': flag(
      'Draw rare prompts more often, instead of uniformly. By default the density of a prompt comes from the mean logits of the model and the 10 nearest prompts. Implied by --weights, --embeddings, --embedder, --estimator and the options that go with them',
    ),
    weights: text('file', 'Weights file of rarefy density, for the prompts of --pairs; nothing is measured then'),
    embeddings: text('file', 'Embeddings file with a row for the id of each prompt; nothing is embedded then'),
  }),
  ...weightingOptions,
  ...estimatorOptions,
  ...embedderOptions,
  ...under('Model', {
    embedder: { ...embedderOptions.embedder, description: `${embedderSummaries}. Default: logits of --model` },
    ckpt: {
      ...embedderOptions.ckpt,
      description: 'Language model of causal-lm and logits, default --model; or sentence-transformers folder of onnx',
    },
  }),
} as const satisfies OptionDefinitions;

export const samplerOption = under('Sampling', {
  sampler: text(
    'file',
    'TypeScript or JavaScript file of a sampler: its exported function is called with (number of prompts, or of pairs for rm, seed), or its fromWeights with (weights, seed) if the draws are density-aware. The file is run: use only code that you trust',
  ),
} as const satisfies OptionDefinitions);

/** The sampler of `--sampler`, with the digest of its code; else draws by weight; else none. */
export async function openRunSampler(
  { sampler: file, seed }: OptionValues<typeof samplerOption> & { readonly seed: number },
  size: number,
  weights: Float64Array | undefined,
): Promise<{ readonly sampler: Sampler | undefined; readonly digest?: string }> {
  if (file !== undefined) {
    const { openSampler } = await import('../open/factory.js');
    return openSampler(file, { size, seed, weights });
  }
  const { weightedSampler } = await import('@rarefy/samplers');
  return { sampler: weights && weightedSampler(weights, { seed }) };
}

type SamplingValues = OptionValues<typeof samplingOptions> & {
  readonly pairs: string;
  readonly seed: number;
  readonly backend: string | undefined;
  readonly out: string;
};

/** The run whose prompts are weighed. */
export interface WeighedRun {
  /** The model to be trained; it embeds the prompts unless the options choose another embedder. */
  readonly languageModel: OpenModel;
  /** Whether the run goes on from a checkpoint: its weights are then those in its folder, unless `--weights` names a file. */
  readonly isContinued: boolean;
}

/** Weights of a run's prompts. */
export interface RunWeights extends WeightColumns {
  /** What a resumed run must share. */
  readonly fixed: Readonly<Record<string, unknown>>;
  /** Writes `weights.jsonl` into the run's folder. */
  save(): Promise<void>;
}

/**
 * Weights of the prompts of a training run, or undefined if no option asks for them: a uniform run measures nothing.
 * @throws InvalidArgumentError for options that contradict each other.
 */
export async function openRunWeights(
  prompts: readonly PromptRecord[],
  values: SamplingValues,
  given: ReadonlySet<string>,
  { languageModel, isContinued }: WeighedRun,
  options: CallOptions,
): Promise<RunWeights | undefined> {
  if (!Object.keys(samplingOptions).some((name) => given.has(name))) return undefined;
  const embedding = Object.keys(embedderOptions);
  const measuring = [...embedding, ...Object.keys({ ...estimatorOptions, ...weightingOptions })];
  checkExclusive(given, 'weights', ['density-aware', 'embeddings', ...measuring], 'the file already has the weights');
  checkExclusive(given, 'embeddings', embedding, 'the file already has the rows');
  checkEstimatorOptions(given, values);

  const { codeDigest } = await import('../open/import-file.js');
  const { readWeights, writeWeights } = await import('@rarefy/data');
  const ids = prompts.map(({ id }) => id);
  const file = join(values.out, 'weights.jsonl');
  const known = values.weights ?? (isContinued ? file : undefined);
  const columns =
    known === undefined
      ? await measured(prompts, values, languageModel, options)
      : await readWeights(known, ids, { signal: options.signal });
  const { density, weights } = columns;
  const { embedder } = values;
  return {
    density,
    weights,
    fixed: {
      weights: digest(weights),
      ...(values.weights === undefined && { weighing: weighingOf(values) }),
      ...(embedder !== undefined && isCodeFile(embedder) && { embedder: await codeDigest(embedder) }),
    },
    save: () => writeWeights(file, ids, columns, { signal: options.signal }),
  };
}

async function measured(
  prompts: readonly PromptRecord[],
  values: SamplingValues,
  languageModel: OpenModel,
  options: CallOptions,
): Promise<WeightColumns> {
  const { openPromptWeights } = await import('../open/prompt-weights.js');
  const { embedder = values.ckpt === undefined ? 'logits' : undefined } = values;
  // These options of the run are not of the embedder: one counts prompts per step, the other is part of `languageModel`.
  const ofRun = { batchSize: undefined, chatTemplate: undefined };
  return openPromptWeights(prompts, { ...values, ...ofRun, embedder, languageModel }, options);
}

/** The values of all options that decide the weights. */
function weighingOf(values: SamplingValues): Readonly<Record<string, unknown>> {
  const { cache, ...embedding } = embedderOptions;
  const names = ['embeddings', ...Object.keys({ ...embedding, ...estimatorOptions, ...weightingOptions })];
  const all = values as unknown as Readonly<Record<string, unknown>>;
  return Object.fromEntries(names.map((name) => [name, all[camelCase(name)]]));
}
