import { join } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';
import type { GrpoTrainingOptions, WeightHandover } from '@rarefy/grpo';
import { choice, integer, number, text } from '../shell/define-option.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { serviceLimits, serviceOptions } from './service-options.js';

/** Where the completions of `rarefy train grpo` come from. */
export const rolloutOptions = under('Rollouts', {
  'rollout-url': text(
    'url',
    'Generate completions on a server: address of its OpenAI-compatible API, such as http://localhost:8000/v1, or of SGLang without /v1. Default: generate in this process',
  ),
  'rollout-model': text('name', 'Name of the model at the server'),
  'rollout-api': choice(['openai', 'sglang'], 'API of the server: openai for vLLM and llama.cpp', {
    default: 'openai',
  }),
  'rollout-key-env': text('name', 'Environment variable with the key of the server, if it needs one', {
    default: 'RAREFY_API_KEY',
  }),
  'rollout-reload': choice(
    ['none', 'vllm', 'sglang'],
    'How the server loads the weights of the policy; none: it keeps those that it has',
    { default: 'none' },
  ),
  'rollout-folder': text(
    'folder',
    'Folder for the weights, which the server must be able to read; default rollout-weights in --out',
  ),
  'rollout-every': integer('Steps from one handover of weights to the next', { default: 1, min: 1 }),
  'rollout-tolerance': number('Largest mean difference between log-probabilities of the server and the policy', {
    default: 0.1,
    min: 0,
  }),
  'rollout-check-prompt': text('text', 'Prompt of the completions that are compared; default a sentence in English'),
  'rollout-per-request': integer('Completions per request; default all of a prompt; 1 for llama.cpp', { min: 1 }),
  ...serviceOptions('rollout', {
    ...{ 'max-concurrency': 32, 'max-attempts': 10, 'attempt-timeout-ms': 300_000, 'deadline-ms': 1_800_000 },
  }),
  'max-staleness': integer(
    'Most steps since the weights of the server were those of the policy; default what --rollout-every gives',
    { min: 0 },
  ),
  'sampling-correction': choice(
    ['sequence_mask', 'sequence_truncate', 'token_mask', 'token_truncate', 'none'],
    'Correction of the loss for the difference between server and policy',
    { default: 'sequence_mask' },
  ),
  'sampling-clip-max': number('Largest importance ratio of the correction', { default: 3, min: 0 }),
  'sampling-clip-min': number('Smallest importance ratio of the correction', { default: 0, min: 0 }),
} as const satisfies OptionDefinitions);

type RolloutValues = OptionValues<typeof rolloutOptions> & { readonly out: string };

/**
 * The options of a trainer for completions of a server; none without `--rollout-url`.
 * @throws InvalidArgumentError for options that need `--rollout-url` or each other.
 */
export async function openRollouts(
  values: RolloutValues,
  given: ReadonlySet<string>,
): Promise<Pick<GrpoTrainingOptions, 'rollouts' | 'samplingCorrection'>> {
  const { rolloutUrl: url, rolloutModel: model, maxStaleness, rolloutPerRequest: completionsPerRequest } = values;
  if (url === undefined) {
    const useless = Object.keys(rolloutOptions).find((name) => given.has(name));
    if (useless === undefined) return {};
    throw new InvalidArgumentError(`--${useless} applies only to completions of a server; give --rollout-url.`);
  }
  if (model === undefined) {
    throw new InvalidArgumentError('--rollout-url needs --rollout-model, the name of the model at the server.');
  }
  const { serverRollouts, sglangReload, vllmReload } = await import('@rarefy/grpo');
  const apiKey = process.env[values.rolloutKeyEnv];
  const key = apiKey ? { apiKey } : {};
  const root = url.replace(/\/v1\/?$/, '');
  const reloads = { vllm: vllmReload, sglang: sglangReload };
  const weights: WeightHandover | undefined =
    values.rolloutReload === 'none'
      ? undefined
      : {
          folder: values.rolloutFolder ?? join(values.out, 'rollout-weights'),
          reload: reloads[values.rolloutReload]({ url: root, ...key }),
          everySteps: values.rolloutEvery,
        };
  return {
    rollouts: serverRollouts({
      ...{ url, model, api: values.rolloutApi, tolerance: values.rolloutTolerance, ...key },
      ...defined({ weights, maxStaleness, completionsPerRequest, checkPrompt: values.rolloutCheckPrompt }),
      ...serviceLimits('rollout', values),
    }),
    samplingCorrection: values.samplingCorrection !== 'none' && {
      mode: values.samplingCorrection,
      clipMax: values.samplingClipMax,
      clipMin: values.samplingClipMin,
    },
  };
}
