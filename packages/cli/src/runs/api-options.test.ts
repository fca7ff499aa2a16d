import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpo from '@rarefy/grpo';
import * as lm from '@rarefy/lm';
import * as training from '@rarefy/training';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseOptions } from '../shell/parse-options.js';
import { baseOptions } from './base.js';
import { grpoOptions, trainPolicy } from './grpo.js';
import { rewardModelOptions, trainRm } from './reward-model.js';
import { sftOptions, trainSft } from './sft.js';

/** What the commands give to the functions of the API; training is left out while it is stubbed. */
const api = vi.hoisted(() => ({ given: {} as Record<string, unknown[]>, isStubbed: false }));
const recording = vi.hoisted(() => async (importActual: () => Promise<object>) => {
  const results: Readonly<Record<string, object>> = {
    trainGrpo: { drawCounts: new Uint32Array(9) },
    trainRewardModel: { pairs: 1, tooLong: 0, steps: 1, step: 1 },
  };
  const recorded = Object.entries(await importActual()).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value];
    const record = (...args: unknown[]) => {
      api.given[name] = [...(api.given[name] ?? []), args.at(-1)];
      return (api.isStubbed && results[name]) || value(...args);
    };
    return [name, record];
  });
  return Object.fromEntries(recorded);
});
vi.mock('@rarefy/grpo', recording);
vi.mock('@rarefy/training', recording);

type Call = (options: object) => unknown;
interface Api {
  readonly call: Call;
  readonly command: Readonly<Record<string, unknown>>;
  /** The flags that set each option; or `function`, an option that only code can give; or `command`, one that the command sets. */
  readonly flags: Readonly<Record<string, string>>;
}

await lm.activate('cpu');
const loaded = await lm.loadLanguageModel(fileURLToPath(new URL('../../../../examples/models/tiny', import.meta.url)));
const reward = lm.rewardModel(loaded.model);
const adamW = {
  ...{ learningRate: 'learning-rate', betas: 'adam-beta1 adam-beta2', epsilon: 'adam-epsilon' },
  ...{ weightDecay: 'weight-decay', maxGradNorm: 'max-grad-norm' },
};
const trainer = {
  ...{ ...adamW, signal: 'function', onEvent: 'function', onStart: 'function', onStep: 'function', task: 'command' },
  ...{ steps: 'max-steps', schedule: 'lr-scheduler-type warmup-steps', loggers: 'report-to' },
  checkpoint: 'out save-steps save-total-limit resume',
};
const sampling = { temperature: 'temperature', topK: 'top-k', topP: 'top-p' };
const lengths = { maxPromptLength: 'max-prompt-length', maxCompletionLength: 'max-completion-length' };
const limits = (prefix: string) => ({
  ...{ maxConcurrency: `${prefix}-max-concurrency`, maxAttempts: `${prefix}-max-attempts` },
  ...{ attemptTimeoutMs: `${prefix}-attempt-timeout-ms`, deadlineMs: `${prefix}-deadline-ms` },
});
const loss = {
  ...{ beta: 'beta', useBiasCorrectionKl: 'use-bias-correction-kl', entropyCoef: 'entropy-coef' },
  ...{ importanceSamplingLevel: 'importance-sampling-level', topEntropyQuantile: 'top-entropy-quantile' },
  ...{ adaptiveEntropy: 'use-adaptive-entropy', offPolicyMaskThreshold: 'off-policy-mask-threshold' },
};
const clipped = { ...loss, epsilon: 'epsilon', epsilonHigh: 'epsilon-high', delta: 'delta' };
const ofGrpo = (call: Call, flags: Api['flags']): Api => ({ call, command: grpoOptions, flags });
const ofRm = (call: Call, flags: Api['flags']): Api => ({ call, command: rewardModelOptions, flags });
const ofSft = (call: Call, flags: Api['flags']): Api => ({ call, command: sftOptions, flags });

const apis: Readonly<Record<string, Api>> = {
  trainGrpo: ofGrpo((options) => grpo.trainGrpo(loaded, undefined as never, options as never), {
    ...{ ...trainer, ...sampling, ...lengths, evaluate: 'eval-pairs', evalSteps: 'eval-steps', seed: 'seed' },
    ...{ rewards: 'reward', loss: 'loss', reference: 'reference', rollouts: 'rollout-url' },
    syncRefModel: 'sync-ref-model',
    ...{ samplingCorrection: 'sampling-correction', scaleRewards: 'scale-rewards', treatments: 'treatment' },
    ...{ multiObjectiveAggregation: 'multi-objective-aggregation', numIterations: 'num-iterations' },
    ...{ stepsPerGeneration: 'steps-per-generation', maskTruncatedCompletions: 'mask-truncated-completions' },
    ...{ maxRefills: 'max-refills', microBatchSize: 'micro-batch-size', format: 'chat-template' },
    ...{ densities: 'density-aware', completions: 'log-completions' },
  }),
  recordedGroups: ofGrpo((options) => grpo.recordedGroups([], options as never), { groupSize: 'group-size' }),
  grpoLoader: ofGrpo((options) => grpo.grpoLoader([], options as never), {
    ...{ sampler: 'sampler', batchSize: 'batch-size', groupSize: 'group-size', importance: 'importance' },
    ...{ target: 'importance-target', prefetch: 'prefetch', signal: 'function' },
  }),
  evaluatePolicy: ofGrpo((options) => grpo.evaluatePolicy(loaded, [], options as never), {
    ...{ ...sampling, ...lengths, rewards: 'reward', groupSize: 'num-generations-eval', batchSize: 'eval-batch-size' },
    ...{ format: 'chat-template', seed: 'seed', signal: 'function', onEvent: 'function' },
  }),
  serverRollouts: ofGrpo((options) => grpo.serverRollouts(options as never), {
    ...{ ...limits('rollout'), url: 'rollout-url', model: 'rollout-model', api: 'rollout-api' },
    ...{ apiKey: 'rollout-key-env', weights: 'rollout-reload', maxStaleness: 'max-staleness' },
    ...{ tolerance: 'rollout-tolerance', checkPrompt: 'rollout-check-prompt' },
    completionsPerRequest: 'rollout-per-request',
  }),
  weights: ofGrpo((weights) => grpo.serverRollouts({ url: 'http://host', model: 'm', weights: weights as never }), {
    ...{ folder: 'rollout-folder', reload: 'rollout-reload', everySteps: 'rollout-every' },
  }),
  vllmReload: ofGrpo((options) => grpo.vllmReload(options as never), { url: 'rollout-url', apiKey: 'rollout-key-env' }),
  sglangReload: ofGrpo((options) => grpo.sglangReload(options as never), {
    ...{ url: 'rollout-url', apiKey: 'rollout-key-env' },
  }),
  'rewards[0]': ofGrpo((each) => grpo.scoreCompletions([each as never], []), {
    ...{ name: 'reward', reward: 'reward', weight: 'reward' },
  }),
  lengthReward: ofGrpo((options) => grpo.lengthReward(options as never), { target: 'reward-words' }),
  rewardModelReward: ofGrpo((options) => grpo.rewardModelReward({ reward, ...loaded }, options), {
    ...{ batchSize: 'reward-batch-size', tooLong: 'reward-too-long', format: 'command' },
  }),
  httpReward: ofGrpo((options) => grpo.httpReward(options as never), {
    ...{ ...limits('reward'), url: 'reward', apiKey: 'reward-key-env', batchSize: 'reward-batch-size' },
  }),
  focalDifficulty: ofGrpo(grpo.focalDifficulty, {
    ...{ gamma: 'focal-gamma', low: 'treatment-low', high: 'treatment-high' },
  }),
  inverseProbability: ofGrpo((options) => grpo.inverseProbability(options as never), {
    ...{ outcome: 'outcome', low: 'treatment-low' },
  }),
  completionDensity: ofGrpo((options) => grpo.completionDensity(options as never), {
    ...{ embedder: 'completion-embedder', low: 'treatment-low' },
  }),
  dapoLoss: ofGrpo(grpo.dapoLoss, clipped),
  grpoLoss: ofGrpo(grpo.grpoLoss, clipped),
  drGrpoLoss: ofGrpo(grpo.drGrpoLoss, clipped),
  luspoLoss: ofGrpo(grpo.luspoLoss, clipped),
  cispoLoss: ofGrpo((options) => grpo.cispoLoss(options as never), { ...loss, epsilonHigh: 'epsilon-high' }),
  sapoLoss: ofGrpo(grpo.sapoLoss, {
    ...{ ...loss, temperaturePos: 'sapo-temperature-pos', temperatureNeg: 'sapo-temperature-neg' },
  }),
  vespoLoss: ofGrpo(grpo.vespoLoss, {
    ...{ ...loss, kPos: 'vespo-k-pos', lambdaPos: 'vespo-lambda-pos', kNeg: 'vespo-k-neg' },
    lambdaNeg: 'vespo-lambda-neg',
  }),
  adaptiveEntropy: ofGrpo((adaptiveEntropy) => grpo.dapoLoss({ adaptiveEntropy }), {
    ...{ target: 'entropy-target', delta: 'entropy-coef-delta', min: 'entropy-coef-min', max: 'entropy-coef-max' },
  }),
  trainRewardModel: ofRm((options) => training.trainRewardModel(loaded, reward, [], options as never), {
    ...{ ...trainer, evaluate: 'function', evalSteps: 'function', batchSize: 'batch-size', seed: 'seed' },
    ...{ microBatchSize: 'micro-batch-size', maxLength: 'max-length', format: 'chat-template', sampler: 'sampler' },
    ...{ centerRewardsCoefficient: 'center-rewards-coefficient', evaluation: 'eval-share' },
  }),
  evaluation: ofRm((evaluation) => training.trainRewardModel(loaded, reward, onePair, { ...required, evaluation }), {
    ...{ pairs: 'eval-pairs', share: 'eval-share', everySteps: 'eval-steps', metric: 'eval-metric' },
    ...{ patience: 'patience', keepBest: 'load-best-model-at-end' },
  }),
  trainLanguageModel: ofSft((options) => training.trainLanguageModel(loaded, options as never), {
    ...{ ...trainer, evaluate: 'function', evalSteps: 'function', microBatchSize: 'micro-batch-size' },
    ...{ kind: 'command', data: 'command', examples: 'pairs' },
  }),
  answerExamples: ofSft((options) => training.answerExamples([], options as never), {
    ...{ format: 'chat-template', maxTokens: 'max-length' },
  }),
  shuffled: ofSft((options) => training.shuffled([0], options as never), { batchSize: 'batch-size', seed: 'seed' }),
  windows: {
    call: (options) => training.windows(new Int32Array(0), options as never),
    command: baseOptions,
    flags: { length: 'row-length', batchSize: 'batch-size', seed: 'seed' },
  },
  lora: ofGrpo((options) => lm.lora(loaded.model, options as never), {
    ...{ rank: 'lora-rank', alpha: 'lora-alpha', targets: 'lora-targets', seed: 'seed', basePath: 'model' },
  }),
};
const onePair = [{ prompt: 'a', chosen: 'b', rejected: 'c' }];
const required = { steps: 1, learningRate: 0, seed: 0 };

/** The names of all options: those that the error of an unknown one lists. */
async function optionsOf(call: Call): Promise<readonly string[]> {
  const unknown = '?'.repeat(40);
  const error: Error = await Promise.resolve()
    .then(() => call({ [unknown]: 1 }))
    .then(
      () => new Error('no error'),
      (thrown) => thrown,
    );
  expect(error.message).toContain(`no option "${unknown}"; it has the options "`);
  const [, listed] = error.message.split('it has the options ');
  return [...listed!.matchAll(/"(\w+)"/g)].map(([, name]) => name!);
}

test.each(Object.entries(apis))('every option of %s has a flag', async (_, { call, command, flags }) => {
  expect(Object.keys(flags).sort()).toEqual([...(await optionsOf(call))].sort());
  const named = Object.values(flags).flatMap((names) => names.split(' '));
  for (const name of named) if (!['function', 'command'].includes(name)) expect(command).toHaveProperty(name);
});

describe('flags reach the API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rarefy-flags-'));
  const file = (name: string) => join(folder, name);
  const train = ['--pairs', file('pairs.jsonl'), '--backend', 'cpu', '--max-steps', '1'];
  const model = ['--model', fileURLToPath(new URL('../../../../examples/models/tiny', import.meta.url))];
  beforeAll(async () => {
    writeFileSync(file('pairs.jsonl'), onePair.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
    writeFileSync(file('outcome.mjs'), 'export default ({ text }) => text.trim();');
    writeFileSync(file('treatment.mjs'), 'export default () => ({ name: "own", settings: {}, scale: () => [] });');
    writeFileSync(
      file('sampler.mjs'),
      `export default () => ({ specificationVersion: 'v1', kind: 'sampler', fingerprint: 'first', capabilities: {},
         draw: (count) => ({ positions: new Int32Array(count) }), state: () => 0, restore() {} });`,
    );
    await lm.saveLanguageModel(file('rm'), { ...loaded, extra: await reward.head() });
    api.isStubbed = true;
  });
  afterAll(() => {
    api.isStubbed = false;
    rmSync(folder, { recursive: true });
  });
  const last = (name: string) => api.given[name]!.at(-1) as Record<string, unknown>;

  test('of train grpo', { timeout: 60_000 }, async () => {
    process.env.JUDGE_KEY = 'secret-of-the-judge';
    const services =
      '--reward-max-concurrency 2 --reward-max-attempts 3 --reward-attempt-timeout-ms 4 --reward-deadline-ms 5';
    const rollouts = services.replaceAll('--reward-', '--rollout-');
    const line = [
      ...[...train, ...model, '--out', file('grpo'), '--prefetch', '3', '--sampler', file('sampler.mjs')],
      ...['--reward', 'judge=http://localhost:9000/r:0.5', '--reward', 'http://localhost:9001', '--reward', 'length'],
      ...['--reward', `base=${file('rm')}:2`, '--reward-key-env', 'judge=JUDGE_KEY', '--reward-batch-size', '7'],
      ...[...services.split(' '), '--reward-too-long', 'null', '--reward-words', '11'],
      ...['--treatment', 'inverse-probability', '--outcome', file('outcome.mjs'), '--treatment-low', '-1'],
      ...['--treatment', 'focal-difficulty', '--focal-gamma', '2', '--treatment-high', '3'],
      ...['--treatment', 'completion-density', '--completion-embedder', 'hash', '--treatment', file('treatment.mjs')],
      ...['--rollout-url', 'http://localhost:8000/v1', '--rollout-model', 'm', '--rollout-check-prompt', 'Hello'],
      ...[...rollouts.split(' '), '--sampling-clip-min', '0.5', '--beta', '0.1', '--reference', file('rm')],
      ...['--eval-pairs', file('pairs.jsonl'), '--eval-batch-size', '5', '--num-generations-eval', '2'],
    ];
    const { values, given: names } = parseOptions(grpoOptions, line);
    await trainPolicy(values, {}, names);
    const limits = { maxConcurrency: 2, maxAttempts: 3, attemptTimeoutMs: 4, deadlineMs: 5 };
    expect(api.given.httpReward!.slice(-2)).toEqual([
      { url: 'http://localhost:9000/r', apiKey: 'secret-of-the-judge', batchSize: 7, ...limits },
      { url: 'http://localhost:9001', batchSize: 7, ...limits },
    ]);
    expect(last('rewardModelReward')).toEqual({ batchSize: 7, tooLong: 'null' });
    expect(last('lengthReward')).toEqual({ target: 11 });
    expect(last('serverRollouts')).toMatchObject({ ...limits, checkPrompt: 'Hello' });
    expect(last('grpoLoader')).toMatchObject({ prefetch: 3, sampler: { fingerprint: 'first' } });
    expect(last('focalDifficulty')).toEqual({ gamma: 2, low: -1, high: 3 });
    expect(last('completionDensity')).toMatchObject({ low: -1, embedder: { kind: 'embedder' } });
    const { outcome } = last('inverseProbability') as { outcome: (completion: object) => string };
    expect(outcome({ text: ' 4 ' })).toBe('4');
    expect(last('policyEvaluator')).toMatchObject({ batchSize: 5, groupSize: 2 });
    const { rewards, treatments, reference, samplingCorrection } = last('trainGrpo') as never as {
      rewards: { name: string; weight: number }[];
      treatments: { name: string }[];
      reference: lm.CausalLanguageModel;
      samplingCorrection: object;
    };
    expect(rewards.map(({ name, weight }) => [name, weight])).toEqual([
      ...[
        ['judge', 0.5],
        ['localhost:9001', 1],
        ['length', 1],
        ['base', 2],
      ],
    ]);
    expect(treatments.map(({ name }) => name)).toEqual([
      ...['inverse-probability', 'focal-difficulty', 'completion-density', 'own'],
    ]);
    expect(reference.description).toEqual(loaded.model.description);
    expect(samplingCorrection).toEqual({ mode: 'sequence_mask', clipMax: 3, clipMin: 0.5 });
    const header = readFileSync(file('grpo/run.json'), 'utf8');
    expect(header).not.toContain('secret');
    expect(JSON.parse(header).fixed).toMatchObject({ treatments: [expect.any(String), expect.any(String)] });
  });

  test('of train grpo --importance-target', async () => {
    const [prompt] = await promptsOf(file('pairs.jsonl'));
    writeFileSync(file('target.jsonl'), `${JSON.stringify({ id: prompt!.id, density: 1, weight: 4 })}\n`);
    const line = [...train, ...model, '--out', file('target'), '--reward', 'length', '--importance', '0.5'];
    const { values, given: names } = parseOptions(grpoOptions, [...line, '--importance-target', file('target.jsonl')]);
    await trainPolicy(values, {}, names);
    expect(last('grpoLoader')).toMatchObject({ importance: { beta: 0.5 }, target: Float64Array.of(1) });
  });

  test('of train rm', async () => {
    const line = [...train, ...model, '--out', file('out-rm'), '--sampler', file('sampler.mjs'), '--eval-share', '0.5'];
    const { values, given: names } = parseOptions(rewardModelOptions, [...line, '--load-best-model-at-end', 'false']);
    await trainRm(values, {}, names);
    expect(last('trainRewardModel')).toMatchObject({
      ...{ evaluation: { share: 0.5, keepBest: false }, sampler: { fingerprint: 'first' } },
    });
  });

  test('of train sft', { timeout: 60_000 }, async () => {
    const long = { ...onePair[0], chosen: 'word '.repeat(40) };
    writeFileSync(file('long.jsonl'), `${JSON.stringify(long)}\n`);
    const line = [...model, '--pairs', file('long.jsonl'), '--backend', 'cpu', '--max-steps', '1', '--batch-size', '1'];
    const { values } = parseOptions(sftOptions, [...line, '--out', file('sft'), '--max-length', '12']);
    await trainSft(values, {});
    expect(JSON.parse(readFileSync(file('sft/metrics.jsonl'), 'utf8')).num_tokens).toBe(12);
  });
});

async function promptsOf(path: string) {
  const { readPairs, uniquePrompts } = await import('@rarefy/data');
  return uniquePrompts(readPairs(path));
}

describe('options that would be ignored are refused', () => {
  test.each([
    ['--reward length --reward-model x', '--reward-model applies only to model; the reward is length.'],
    ['--reward-words 3', '--reward-words applies only to length; the reward is model.'],
    ['--reward length --reward-key-env X', '--reward-key-env applies only to a service; the reward is length.'],
    [
      '--reward http://h --reward-key-env NOT_SET',
      '--reward-key-env names the environment variable NOT_SET, which is not',
    ],
    ['--reward length --focal-gamma 1', '--focal-gamma applies only to focal-difficulty; the treatment is none.'],
    ['--reward length --treatment focal-dificulty', 'got focal-dificulty. Did you mean focal-difficulty?'],
    ['--reward length --treatment inverse-probability', '--treatment inverse-probability needs --outcome'],
    ['--reward length --importance-target x', '--importance-target needs --importance above 0'],
    ['--reward length --reference base', '--reference applies to dapo only with --beta above 0.'],
    ['--reward length --eval-batch-size 2', '--eval-batch-size needs --eval-pairs'],
  ])('%s', async (more, message) => {
    const pairs = fileURLToPath(new URL('../../../../examples/data/pairs.jsonl', import.meta.url));
    const model = fileURLToPath(new URL('../../../../examples/models/tiny', import.meta.url));
    const line = ['--pairs', pairs, '--model', model, '--backend', 'cpu', '--out', join(tmpdir(), 'rarefy-none')];
    const { values, given: names } = parseOptions(grpoOptions, [...line, ...more.split(' ')]);
    await expect(trainPolicy(values, {}, names)).rejects.toThrow(message);
  });
});
