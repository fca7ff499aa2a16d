import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, type MetricLogger, TrainingError } from '@rarefy/core';
import '@tensorflow/tfjs';
import { activate, initialWeights, languageModel, weightsDigest } from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { shuffled } from '../language-model/examples.js';
import { trainLanguageModel } from '../language-model/train-language-model.js';
import type { StepMetrics } from './train-with-checkpoints.js';

const tokenizer = trainBytePairTokenizer(['one two three'], { vocabularySize: 280 });
const config = {
  model_type: 'gpt2',
  vocab_size: tokenizer.vocabularySize,
  n_embd: 8,
  n_head: 2,
  n_layer: 1,
  n_positions: 16,
};
const examples = [
  [1, 2, 3],
  [4, 5, 6],
].map((ids) => ({ ids: Int32Array.from(ids), firstTrained: 1 }));

let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-evaluate-'))));
afterEach(() => rm(folder, { recursive: true }));

/** One run with a logger: its log without times, the evaluated steps, and the digest of its final weights. */
async function train(options: object = {}) {
  const model = languageModel(config, initialWeights(config, 1));
  const log: [step: number, metrics: StepMetrics][] = [];
  const starts: number[] = [];
  const logger: MetricLogger = {
    log: (step, { step_time, ...metrics }) => void log.push([step, metrics]),
    close() {},
  };
  const evaluated: number[] = [];
  const failed = await trainLanguageModel({ model, tokenizer, config }, {
    ...{ kind: 'sft', examples: shuffled(examples, { batchSize: 1, seed: 1 }), data: 'rows' },
    ...{ steps: 7, learningRate: 0.01, evalSteps: 2 },
    async evaluate(step: number): Promise<StepMetrics> {
      evaluated.push(step);
      await Promise.resolve();
      return { digest: Number.parseInt((await weightsDigest(model)).slice(0, 8), 16), missing: Number.NaN };
    },
    loggers(done: number) {
      starts.push(done);
      return [logger];
    },
    ...options,
  } as Parameters<typeof trainLanguageModel>[1]).catch((error: unknown) => error);
  return { log, starts, evaluated, failed, weights: await weightsDigest(model) };
}

test('evaluates every few steps; the metrics are those of the step, with a prefix', async () => {
  const { log, evaluated, failed, weights } = await train();
  expect(failed).toBeUndefined();
  expect(evaluated).toEqual([2, 4, 6]);
  for (const [step, metrics] of log) {
    expect(Object.keys(metrics).filter((name) => name.startsWith('eval_'))).toEqual(
      step % 2 === 0 ? ['eval_digest', 'eval_missing'] : [],
    );
  }
  const plain = await train({ evaluate: undefined, evalSteps: undefined });
  expect(plain.weights).toBe(weights);
  expect(log.map(([, { eval_digest, eval_missing, ...metrics }]) => metrics)).toEqual(plain.log.map(([, m]) => m));
});

test('an evaluation that is cut short is made up for on resume, and none is repeated', async () => {
  const whole = await train();
  for (const saveSteps of [1, 4, 100]) {
    const checkpoint = { folder: join(folder, `${saveSteps}`), saveSteps };
    const aborting = new AbortController();
    const evaluate = (step: number, { signal }: { signal: AbortSignal }) => {
      if (step === 4) aborting.abort(new Error('Ctrl-C'));
      signal.throwIfAborted();
      return { digest: whole.log[step - 1]![1].eval_digest!, missing: Number.NaN };
    };
    const first = await train({ checkpoint, evaluate, signal: aborting.signal });
    expect(first.failed).toMatchObject({ message: 'Ctrl-C' });
    expect(first.log).toEqual(whole.log.slice(0, 3));
    expect((await readdir(join(checkpoint.folder, 'checkpoints'))).at(-1)).toBe('step-000004');

    const resumed = await train({ checkpoint: { ...checkpoint, resume: true } });
    expect(resumed.starts).toEqual([3]); // a file of the log keeps three steps
    expect(resumed.evaluated).toEqual([4, 6]);
    expect(resumed.log).toEqual(whole.log.slice(3));
    expect(resumed.weights).toBe(whole.weights);
  }
});

test('a run that ends right after it made up for an evaluation does not evaluate again', async () => {
  const checkpoint = { folder, saveSteps: 100 };
  const evaluate = () => {
    throw new Error('out of luck');
  };
  expect((await train({ checkpoint, evaluate })).failed).toMatchObject({ message: 'out of luck' });
  const again = await train({ checkpoint: { ...checkpoint, resume: true }, evaluate });
  expect(again).toMatchObject({ starts: [1], log: [], failed: { message: 'out of luck' } });

  const onStep = () => {
    throw new Error('stop');
  };
  const stopped = await train({ checkpoint: { ...checkpoint, resume: true }, onStep });
  expect(stopped).toMatchObject({ evaluated: [2], failed: { message: 'stop' } });
  const rest = await train({ checkpoint: { ...checkpoint, resume: true } });
  expect(rest).toMatchObject({ starts: [2], evaluated: [4, 6] });
});

test('evaluations that return no numbers, and evalSteps without evaluate, are refused', async () => {
  for (const [returned, message] of [
    [undefined, 'evaluate returned undefined; return numbers by name'],
    [0.5, 'evaluate returned 0.5'],
    [{ reward: '1' }, 'evaluate returned "1" for reward'],
  ] as const) {
    const { failed } = await train({ evaluate: () => returned });
    expect(failed).toBeInstanceOf(TrainingError);
    expect((failed as Error).message).toContain(message);
  }
  for (const options of [{ evaluate: undefined }, { evaluate: 3 }, { evalSteps: 0 }]) {
    expect((await train(options)).failed).toBeInstanceOf(InvalidArgumentError);
  }
});

test('hears an abort that a timer brings between two steps', async () => {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error('stopped by the timer')), 50);
  const { failed, log } = await train({ steps: 1000, evalSteps: 1000, signal: controller.signal });
  clearTimeout(timer);
  expect(failed).toEqual(new Error('stopped by the timer'));
  expect(log.length).toBeLessThan(1000);
});
