import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateMismatchError, TrainingError, type WorkEvent } from '@rarefy/core';
import { activate, rewardModel } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import { type StepMetrics, trainRewardModel } from '@rarefy/training';
import '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { config, newModel, prompts, tokenizer } from '../../../tests/support/tiny-policy.js';
import { grpoLoader, type LoaderOptions } from './loader/grpo-loader.js';
import type { PolicyLoss } from './losses/policy-loss.js';
import { dapoLoss, grpoLoss } from './losses/policy-losses.js';
import { lengthReward } from './rewards/built-in-rewards.js';
import { trainGrpo } from './trainer.js';
import { focalDifficulty } from './treatments/diversity-treatments.js';

const reward = lengthReward({ target: 3 });

interface Changes {
  readonly options?: object;
  readonly loading?: Partial<LoaderOptions>;
}

/** One run: its metrics without times, and its final weights. */
async function train({ options = {}, loading = {} }: Changes = {}) {
  const model = newModel();
  const metrics: StepMetrics[] = [];
  const sampler = weightedSampler([1, 1, 1, 1], { seed: 1 });
  const loader = grpoLoader(prompts, { sampler, batchSize: 1, groupSize: 2, ...loading });
  await trainGrpo({ model, tokenizer, config }, loader, {
    ...{ rewards: [{ name: 'length', reward }], seed: 1, steps: 6, learningRate: 0.01, maxCompletionLength: 6 },
    onStep: (_, { step_time, ...values }) => metrics.push(values),
    ...options,
  });
  return { metrics, weights: Object.values(model.parameters).map((variable) => [...variable.dataSync()]) };
}

let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-resume-'))));
afterEach(() => rm(folder, { recursive: true }));

test('a resume of trainGrpo with any other setting is refused, naming the option and both values', async () => {
  const loss = grpoLoss({ beta: 0.1 });
  const reference = newModel(2);
  const first = { loss, reference, syncRefModel: { syncSteps: 2 }, checkpoint: { folder } };
  await train({ options: { ...first, steps: 1 } });
  const changes: [change: Changes, message: string][] = [
    [{ options: { loss: grpoLoss({ beta: 0.2 }) } }, 'loss.beta was 0.1 and is now 0.2'],
    [{ options: { loss: grpoLoss({ beta: 0.1, epsilon: 0.3 }) } }, 'loss.epsilon was 0.2 and is now 0.3'],
    [{ options: { loss: dapoLoss({ beta: 0.1 }) } }, 'loss.name was "grpo" and is now "dapo"'],
    [
      { options: { loss: grpoLoss(), reference: undefined, syncRefModel: undefined } },
      'loss.beta was 0.1 and is now 0',
    ],
    [{ options: { syncRefModel: undefined } }, 'syncRefModel.mixupAlpha was 0.6 and is now none'],
    [{ options: { syncRefModel: { syncSteps: 3 } } }, 'syncRefModel.syncSteps was 2 and is now 3'],
    [{ options: { reference: newModel(3) } }, 'reference was "'],
    [{ options: { rewards: [{ name: 'length', reward, weight: 2 }] } }, 'rewards.length was 1 and is now 2'],
    [{ options: { rewards: [{ name: 'other', reward }] } }, 'rewards.other was none and is now 1'],
    [{ options: { numIterations: 2 } }, 'numIterations was 1 and is now 2'],
    [{ options: { stepsPerGeneration: 2 } }, 'stepsPerGeneration was 1 and is now 2'],
    [{ options: { maskTruncatedCompletions: true } }, 'maskTruncatedCompletions was false and is now true'],
    [{ options: { treatments: [focalDifficulty()] } }, 'treatments'],
    [{ options: { scaleRewards: 'none' } }, 'scaleRewards was "group" and is now "none"'],
    [{ options: { temperature: 0.5 } }, 'temperature was 1 and is now 0.5'],
    [{ options: { topP: 0.5 } }, 'topP was 1 and is now 0.5'],
    [{ options: { maxCompletionLength: 5 } }, 'maxCompletionLength was 6 and is now 5'],
    [{ options: { seed: 2 } }, 'seed was 1 and is now 2'],
    [{ options: { weightDecay: 0.1 } }, 'weightDecay was 0 and is now 0.1'],
    [{ options: { betas: [0.9, 0.95] } }, 'betas was [0.9,0.999] and is now [0.9,0.95]'],
    [{ options: { maxGradNorm: 1 } }, 'maxGradNorm was none and is now 1'],
    [{ options: { schedule: () => 0.5 } }, 'schedule was "rates 1, 1'],
    [{ loading: { groupSize: 3 } }, 'loader.groupSize was 2 and is now 3'],
    [{ loading: { batchSize: 2 } }, 'loader.batchSize was 1 and is now 2'],
    [{ loading: { importance: { beta: 0.5 } } }, 'loader.importance'],
  ];
  for (const [{ options, loading }, message] of changes) {
    const resumed = train({
      options: { ...first, checkpoint: { folder, resume: true }, ...options },
      ...(loading && { loading }),
    });
    await expect(resumed, message).rejects.toThrow(StateMismatchError);
    await expect(resumed, message).rejects.toThrow(message);
  }
  await train({ options: { ...first, checkpoint: { folder, resume: true }, microBatchSize: 1 } });
});

test('a resume of trainRewardModel with other pairs or settings is refused', async () => {
  const pairs = ['one', 'two', 'three'].map((word, index) => ({
    ...{ id: `${index}`, src: 'test', prompt: word, chosen: `yes ${word}`, rejected: `no ${word}` },
  }));
  const run = (options: object, given = pairs) => {
    const model = newModel();
    return trainRewardModel({ model, tokenizer, config }, rewardModel(model), given, {
      ...{ steps: 2, batchSize: 2, learningRate: 0.01, seed: 1, ...options },
    });
  };
  await run({ steps: 1, checkpoint: { folder } });
  const checkpoint = { folder, resume: true };
  const sampler = weightedSampler([1, 1, 1], { seed: 1 });
  const changes: [options: object, message: string, pairs?: typeof pairs][] = [
    [{}, 'pairs was "', [...pairs].reverse()],
    [{}, 'pairs was "', [...pairs.slice(0, 2), { ...pairs[2]!, chosen: 'maybe' }]],
    [{ weightDecay: 0.1 }, 'weightDecay was 0 and is now 0.1'],
    [{ centerRewardsCoefficient: 0.01 }, 'centerRewardsCoefficient was 0 and is now 0.01'],
    [{ batchSize: 3 }, 'batchSize was 2 and is now 3'],
    [{ sampler }, 'sampler was none and is now "'],
  ];
  for (const [options, message, given] of changes) {
    const resumed = run({ checkpoint, ...options }, given);
    await expect(resumed, message).rejects.toThrow(StateMismatchError);
    await expect(resumed, message).rejects.toThrow(message);
  }
  await run({ checkpoint });
});

describe('a run that fails saves its last finished step, and resumes equal to an uninterrupted run', () => {
  const failing = {
    'a logger': { loggers: [{ name: 'disk', log: (step: number) => failAt(4, step), close() {} }] },
    onStep: { onStep: (step: number) => failAt(4, step) },
    'a reward': {
      rewards: [
        {
          name: 'length',
          reward: (() => {
            let calls = 0;
            return (...inputs: Parameters<typeof reward>) => {
              failAt(5, ++calls);
              return reward(...inputs);
            };
          })(),
        },
      ],
    },
  };
  function failAt(wanted: number, step: number): void {
    if (step === wanted) throw new Error('out of luck');
  }

  test.each(Object.entries(failing))('%s', async (_, options) => {
    const whole = await train();
    const checkpoint = { folder, saveSteps: 100 };
    await expect(train({ options: { ...options, checkpoint } })).rejects.toThrow('out of luck');
    expect(await readdir(join(folder, 'checkpoints'))).toEqual(['step-000004']);
    const rest = await train({ options: { checkpoint: { ...checkpoint, resume: true } } });
    // A step that was not logged is logged by the resumed run.
    expect(rest.metrics).toEqual(whole.metrics.slice('loggers' in options ? 3 : 4));
    expect(rest.weights).toEqual(whole.weights);
  });

  test('but not a step whose second update fails', async () => {
    const good = dapoLoss();
    let calls = 0;
    const loss: PolicyLoss = {
      ...good,
      loss: (...inputs) => {
        if (++calls === 6) throw new Error('second update of step 3');
        return good.loss(...inputs);
      },
    };
    const events: WorkEvent[] = [];
    const options = {
      loss,
      numIterations: 2,
      checkpoint: { folder },
      onEvent: (event: WorkEvent) => events.push(event),
    };
    await expect(train({ options })).rejects.toThrow('second update of step 3');
    expect(events.find(({ type }) => type === 'work-warning')).toMatchObject({
      code: 'checkpoint-not-saved',
      message: expect.stringContaining('the state after step 2 is not saved'),
    });
    expect(await readdir(folder)).not.toContain('checkpoints');
  });

  test('and the error of the run is the one to report if saving fails too', async () => {
    const events: WorkEvent[] = [];
    const { config: _, ...own } = { config, model: newModel(), tokenizer }; // a llama model cannot be saved without its config
    const loader = grpoLoader(prompts, {
      sampler: weightedSampler([1, 1, 1, 1], { seed: 1 }),
      batchSize: 1,
      groupSize: 2,
    });
    const failed = trainGrpo(own, loader, {
      ...{ rewards: [reward], seed: 1, steps: 3, learningRate: 0.01, maxCompletionLength: 6, checkpoint: { folder } },
      ...{ loggers: [{ log: (step: number) => failAt(2, step), close() {} }], onEvent: (event) => events.push(event) },
    });
    await expect(failed).rejects.toThrow(TrainingError);
    await expect(failed).rejects.toThrow('loggers[0] failed at step 2: out of luck');
    expect(events.find(({ type }) => type === 'work-warning')).toMatchObject({ code: 'checkpoint-not-saved' });
  });
});
