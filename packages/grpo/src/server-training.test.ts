import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, StateMismatchError, TrainingError } from '@rarefy/core';
import { activate, lora } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import type { StepMetrics } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fault, startCompletionServer } from '../../../tests/support/completion-server.js';
import { config, newModel, prompts, tokenizer } from '../../../tests/support/tiny-policy.js';
import { grpoLoader } from './loader/grpo-loader.js';
import { grpoLoss, vespoLoss } from './losses/policy-losses.js';
import type { Completion } from './rollout/rollout.js';
import { type ServerRolloutsOptions, serverRollouts } from './rollout/server-rollouts.js';
import { sglangReload, vllmReload } from './rollout/weight-reloads.js';
import { type GrpoTrainingOptions, trainGrpo } from './trainer.js';

const lowIds = (completions: readonly Completion[]) =>
  completions.map(({ ids }) => ids.filter((id) => id < tokenizer.vocabularySize / 2).length / ids.length);

let folder: string;
let stop: (() => Promise<void>)[] = [];
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-served-'))));
afterEach(async () => {
  await Promise.all(stop.map((one) => one()));
  stop = [];
  await rm(folder, { recursive: true });
});

async function serve(seed = 1, options: Parameters<typeof startCompletionServer>[1] = {}) {
  const server = await startCompletionServer(newModel(seed), options);
  stop.push(server.stop);
  return server;
}

/** How a test asks the server for weights every `everySteps` steps. */
const handingOver = (server: { root: string }, everySteps = 1, reload = vllmReload) => ({
  weights: { folder: join(folder, 'weights'), reload: reload({ url: server.root }), everySteps },
});

/** One run with completions of the server: its metrics without times, and its final weights. */
async function run(
  server: { url: string },
  source: Partial<ServerRolloutsOptions> = {},
  options: Partial<GrpoTrainingOptions> = {},
  model = newModel(),
) {
  const metrics: StepMetrics[] = [];
  const sampler = weightedSampler([1, 2, 3, 1], { seed: 1 });
  const loader = grpoLoader(prompts, { sampler, batchSize: 2, groupSize: 3 });
  await trainGrpo({ model, tokenizer, config }, loader, {
    ...{ rewards: [{ name: 'low', reward: lowIds }], seed: 1, steps: 5, learningRate: 0.02, maxCompletionLength: 6 },
    rollouts: serverRollouts({ url: server.url, model: 'words', maxAttempts: 5, tolerance: 0.001, ...source }),
    onEvent: () => {},
    onStep: (_, { step_time, ...values }) => metrics.push(values),
    ...options,
  });
  return { metrics, weights: Object.values(model.parameters).map((variable) => [...variable.dataSync()]) };
}

describe('weights are handed over', () => {
  test.each([
    ['vLLM', vllmReload, '/collective_rpc'],
    ['SGLang', sglangReload, '/update_weights_from_disk'],
  ] as const)('to %s before every step, and the server then generates as the policy', async (_, reload, path) => {
    const server = await serve(9); // other weights, which the first handover replaces
    const { metrics } = await run(server, handingOver(server, 1, reload));
    expect(server.requests.filter((request) => request.path === path)).toHaveLength(5);
    for (const values of metrics) {
      expect(values['rollout/staleness']).toBe(0);
      expect(values['rollout/weights_difference']).toBeLessThan(1e-5);
      expect(values['sampling/sampling_logp_difference/max']).toBeLessThan(1e-4);
      expect(values['sampling/importance_sampling_ratio/mean']).toBeCloseTo(1, 4);
    }
    expect(metrics.map(({ reward }) => reward)).not.toEqual(Array(5).fill(metrics[0]!.reward));
    expect(await readdir(join(folder, 'weights'))).toEqual(['weights-of-step-4']);
  });

  test('every few steps: ratios leave 1 in between, and staleness is logged', async () => {
    const server = await serve();
    const { metrics } = await run(server, handingOver(server, 3), {
      samplingCorrection: { mode: 'token_truncate', clipMax: 1.01 },
    });
    expect(metrics.map((values) => values['rollout/staleness'])).toEqual([0, 1, 2, 0, 1]);
    expect(metrics.map((values) => Number.isNaN(values['rollout/weights_difference']))).toEqual([
      false,
      true,
      true,
      false,
      true,
    ]);
    expect(metrics[2]!['sampling/sampling_logp_difference/mean']).toBeGreaterThan(0.01);
    expect(metrics[2]!['sampling/importance_sampling_ratio/max']).toBeCloseTo(1.01, 5);
    expect(metrics[2]!['sampling/importance_sampling_ratio/min']).toBeLessThan(0.99);
  });

  test('but not those of an adapter, whose folder a server cannot read', async () => {
    const server = await serve();
    const failed = run(server, handingOver(server), {}, lora(newModel(), { rank: 2, seed: 1 }));
    await expect(failed).rejects.toThrow(InvalidArgumentError);
    await expect(failed).rejects.toThrow('weights of a model with an adapter cannot be handed over');
  });

  test('and a server that does not load them ends the run', async () => {
    const server = await serve(1, { ignoresReload: true });
    const failed = run(server, handingOver(server));
    await expect(failed).rejects.toThrow(TrainingError);
    await expect(failed).rejects.toThrow(/generates with other weights than the policy.*above tolerance 0.001/);
    expect(server.requests.filter(({ path }) => path === '/collective_rpc')).toHaveLength(2);
  });
});

test('a server with another model is refused before the first step', async () => {
  const server = await serve(9);
  await expect(run(server, {}, { steps: 1 })).rejects.toThrow('generates with other weights than the policy');
});

test('a server whose weights stay is refused for more steps than maxStaleness allows', async () => {
  const server = await serve();
  const failed = run(server, { maxStaleness: 2 });
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow('4 steps old, above maxStaleness 2');
  expect(server.requests).toEqual([]);
  const { metrics } = await run(server, { maxStaleness: 4 });
  expect(metrics.map((values) => values['rollout/staleness'])).toEqual([0, 1, 2, 3, 4]);
});

test('a run with faults equals one without', async () => {
  const plain = await serve();
  const whole = await run(plain, handingOver(plain, 2));
  let count = 0;
  const fault: Fault = (_, response) => {
    const kind = count++ % 5;
    if (kind === 0) response.destroy();
    else if (kind === 2) response.writeHead(429, { 'retry-after': '0' }).end();
    else if (kind === 3) response.writeHead(503, { 'retry-after': '0' }).end('warming up');
    else if (count === 10)
      return new Promise(() => {}); // never answers
    else return undefined;
    return true;
  };
  const faulty = await serve(1, { fault });
  const other = await run(faulty, {
    ...handingOver(faulty, 2),
    ...{ maxAttempts: 30, maxConcurrency: 2, attemptTimeoutMs: 4000 },
  });
  expect(count).toBeGreaterThan(10);
  expect(faulty.requests.length).toBeGreaterThan(1.5 * plain.requests.length);
  expect(other).toEqual(whole);
});

describe('a run that is cut short and resumed equals an uninterrupted one', () => {
  const resumed = async (
    source: (server: Awaited<ReturnType<typeof serve>>) => Partial<ServerRolloutsOptions>,
    cutAt: number,
  ) => {
    const plain = await serve();
    const whole = await run(plain, source(plain));
    await rm(join(folder, 'weights'), { recursive: true, force: true });
    const server = await serve();
    const cut = run(server, source(server), {
      checkpoint: { folder, saveSteps: 100 },
      onStep: (step) => {
        if (step === cutAt) throw new Error('killed');
      },
    });
    await expect(cut).rejects.toThrow('killed');
    return { whole, source };
  };
  const checkpoint = () => ({ checkpoint: { folder, resume: true } });

  test.each([2, 3, 4])('with weights handed over every 3 steps, cut after step %i', async (cutAt) => {
    const { whole } = await resumed((server) => handingOver(server, 3), cutAt);
    const fresh = await serve(9); // the server too started again
    const rest = await run(fresh, handingOver(fresh, 3), checkpoint());
    const compared = (values: StepMetrics) => ({ ...values, 'rollout/weights_difference': 0 }); // is measured after a resume too
    expect(rest.metrics.map(compared)).toEqual(whole.metrics.slice(cutAt).map(compared));
    expect(rest.weights).toEqual(whole.weights);
  });

  test('from a checkpoint before the last one, whose weights stay in the folder', async () => {
    const plain = await serve();
    const checkpoint = { folder, saveSteps: 4 };
    const whole = await run(plain, handingOver(plain, 3), { steps: 8, checkpoint });
    const kept = (await readdir(join(folder, 'weights'))).sort();
    expect(kept).toEqual(['weights-of-step-3', 'weights-of-step-6']);
    await rm(join(folder, 'checkpoints', 'step-000008'), { recursive: true });
    const fresh = await serve(9);
    const rest = await run(fresh, handingOver(fresh, 3), { steps: 8, checkpoint: { ...checkpoint, resume: true } });
    expect(rest.metrics).toHaveLength(4);
    expect(rest.weights).toEqual(whole.weights);
  });

  test('with a server whose weights stay', async () => {
    const { whole } = await resumed(() => ({ maxStaleness: 4 }), 2);
    const rest = await run(await serve(), { maxStaleness: 4 }, checkpoint());
    expect(rest.metrics[0]!['rollout/weights_difference']).toBeLessThan(1e-5);
    expect(rest.weights).toEqual(whole.weights);
  });

  test('but not with a server that has other weights than before', async () => {
    await resumed(() => ({ maxStaleness: 4 }), 2);
    await expect(run(await serve(9), { maxStaleness: 4 }, checkpoint())).rejects.toThrow(TrainingError);
  });

  test('unless the folder of the weights is gone, or the server does not load it', async () => {
    await resumed((server) => handingOver(server, 3), 2);
    const deaf = await serve(9, { ignoresReload: true });
    await expect(run(deaf, handingOver(deaf, 3), checkpoint())).rejects.toThrow('other weights than the policy');
    await rm(join(folder, 'weights'), { recursive: true });
    const fresh = await serve();
    const failed = run(fresh, handingOver(fresh, 3), checkpoint());
    await expect(failed).rejects.toThrow(StateMismatchError);
    await expect(failed).rejects.toThrow(/weights of step 0, which should be in .*weights-of-step-0/);
  });

  test('and other settings are refused', async () => {
    const server = await serve();
    await run(server, handingOver(server, 2), { steps: 1, checkpoint: { folder } });
    const changes: [Partial<ServerRolloutsOptions>, Partial<GrpoTrainingOptions>, string][] = [
      [handingOver(server, 3), {}, 'rollouts.everySteps was 2 and is now 3'],
      [{ ...handingOver(server, 2), model: 'other' }, {}, 'rollouts.model was "words" and is now "other"'],
      [
        handingOver(server, 2),
        { samplingCorrection: { clipMax: 2 } },
        'samplingCorrection.clipMax was "3" and is now "2"',
      ],
      [handingOver(server, 2), { samplingCorrection: false }, 'samplingCorrection'],
    ];
    for (const [source, options, message] of changes) {
      await expect(run(server, source, { ...checkpoint(), ...options })).rejects.toThrow(message);
    }
  });
});

describe('the correction', () => {
  test('multiplies the loss by the ratio, and is off if asked', async () => {
    const losses = async (samplingCorrection: GrpoTrainingOptions['samplingCorrection']) => {
      const server = await serve();
      const options = { steps: 2, loss: grpoLoss(), ...(samplingCorrection !== undefined && { samplingCorrection }) };
      const { metrics } = await run(server, { maxStaleness: 1 }, options);
      return metrics[1]!;
    };
    const off = await losses(false);
    expect(off['sampling/importance_sampling_ratio/mean']).toBeUndefined();
    const masked = await losses({ mode: 'token_mask', clipMax: 1e-9 });
    expect(masked.loss).toBe(0); // every token is out of bounds
    expect(masked.grad_norm).toBe(0);
    const on = await losses({ mode: 'token_truncate' });
    expect(on.loss).not.toBe(off.loss);
    expect(on.loss).toBeCloseTo(off.loss!, 1);
  });

  test('per sequence is refused for vespo, as in TRL', async () => {
    const server = await serve();
    const loss = vespoLoss();
    await expect(run(server, {}, { loss, steps: 1 })).rejects.toThrow(
      "the loss 'vespo' needs a sampling ratio per token",
    );
    await run(server, {}, { loss, steps: 1, samplingCorrection: { mode: 'token_mask' } });
  });
});

test('no step leaks a tensor', async () => {
  const server = await serve();
  const counts: number[] = [];
  await run(server, handingOver(server, 2), { onStep: () => counts.push(tf.memory().numTensors) });
  // The server of this test has variables too, which it assigns.
  expect(new Set(counts).size).toBe(1);
});

test('what is no source of completions is refused', async () => {
  await expect(run({ url: 'http://localhost' }, {}, { rollouts: {} as never })).rejects.toThrow(
    'rollouts must be a source',
  );
});
