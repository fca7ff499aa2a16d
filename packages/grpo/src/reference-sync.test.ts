import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activate, type CausalLanguageModel, loadWeights, lora, snapshot } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import type { StepMetrics } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { config, newModel, prompts, tokenizer } from '../../../tests/support/tiny-policy.js';
import { grpoLoader } from './loader/grpo-loader.js';
import type { PolicyLoss } from './losses/policy-loss.js';
import { grpoLoss } from './losses/policy-losses.js';
import { lengthReward } from './rewards/built-in-rewards.js';
import { type GrpoTrainingOptions, trainGrpo } from './trainer.js';

const loss = grpoLoss({ beta: 0.1 });
let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-sync-'))));
afterEach(() => rm(folder, { recursive: true }));

const valuesOf = ({ parameters }: CausalLanguageModel) =>
  Object.entries(parameters).map(([name, variable]) => [name, Float32Array.from(variable.dataSync())] as const);
type Values = ReturnType<typeof valuesOf>;

async function train(options: Partial<GrpoTrainingOptions>, model = newModel()) {
  const metrics: StepMetrics[] = [];
  const sampler = weightedSampler([1, 1, 1, 1], { seed: 1 });
  const loader = grpoLoader(prompts, { sampler, batchSize: 2, groupSize: 2 });
  await trainGrpo({ model, tokenizer, config }, loader, {
    ...{ rewards: [lengthReward({ target: 3 })], loss, seed: 1, steps: 5, learningRate: 0.01, maxCompletionLength: 6 },
    onStep: (_, { step_time, ...values }) => metrics.push(values),
    ...options,
  });
  return metrics;
}

/** The loss, which notes the weights of the policy before each optimizer step. */
function noting(model: CausalLanguageModel): { loss: PolicyLoss; seen: Values[]; references: Float32Array[] } {
  const seen: Values[] = [];
  const references: Float32Array[] = [];
  const noted: PolicyLoss = {
    ...loss,
    loss: (batch, totals) => {
      seen.push(valuesOf(model));
      references.push(Float32Array.from(batch.referenceLogProbabilities!.dataSync()));
      return loss.loss(batch, totals);
    },
  };
  return { loss: noted, seen, references };
}

/** 0.6 policy + 0.4 reference, each rounded to float32. */
const mixed = (policy: Values, reference: Values): Values =>
  policy.map(([name, values], index) => [
    name,
    values.map((value, at) =>
      Math.fround(
        Math.fround(value * Math.fround(0.6)) + Math.fround(reference[index]![1][at]! * Math.fround(1 - 0.6)),
      ),
    ),
  ]);

/** The file has the layout of a model's weights. */
async function savedReference(step: number): Promise<Values> {
  const copy = join(folder, 'copy');
  await mkdir(copy, { recursive: true });
  const file = join(folder, 'checkpoints', `step-00000${step}`, 'reference.safetensors');
  await copyFile(file, join(copy, 'model.safetensors'));
  const model = newModel(9);
  await loadWeights(model, copy);
  return valuesOf(model);
}

test('every syncSteps optimizer steps the reference is mixed with the policy, also within a training step', async () => {
  const model = newModel();
  using reference = snapshot(model);
  const before = valuesOf(reference);
  const { loss: noted, seen, references } = noting(model);
  const run = { loss: noted, reference, syncRefModel: { syncSteps: 2 }, numIterations: 3 };
  await train({ ...run, steps: 3, checkpoint: { folder, saveSteps: 1, keep: 9 } }, model);

  // Weights after optimizer step k are those before step k + 1. Training step 1 mixes after 2, step 2 after 4 and 6, 3 after 8.
  const one = mixed(seen[2]!, before);
  const three = mixed(seen[6]!, mixed(seen[4]!, one));
  expect(await savedReference(1)).toEqual(one);
  expect(await savedReference(2)).toEqual(three);
  expect(await savedReference(3)).toEqual(mixed(seen[8]!, three));
  expect(one).not.toEqual(before);
  expect(valuesOf(reference)).toEqual(before); // the given one stays
  for (const step of [0, 3, 6]) {
    // As in TRL, all optimizer steps on the same completions have the same reference.
    expect(references[step + 1]).toEqual(references[step]);
    expect(references[step + 2]).toEqual(references[step]);
  }
});

test('a run that is cut and resumed equals an uninterrupted one, and leaks no tensor', async () => {
  const files = async () => {
    const path = join(folder, 'checkpoints', 'step-000005');
    const names = (await readdir(path)).filter((name) => name.endsWith('.safetensors'));
    expect(names).toEqual(['model.safetensors', 'optimizer.safetensors', 'reference.safetensors']);
    return Promise.all(names.map((name) => readFile(join(path, name), 'base64')));
  };
  const following = { reference: newModel(2), syncRefModel: { syncSteps: 2 } };
  const whole = await train({ ...following, checkpoint: { folder } });
  const expected = await files();
  await rm(join(folder), { recursive: true });
  const before = tf.memory().numTensors;
  const model = newModel();
  const weights = tf.memory().numTensors - before;
  await train({ ...following, steps: 3, checkpoint: { folder } }, model);
  expect(tf.memory().numTensors).toBe(before + weights);
  const rest = await train({ ...following, checkpoint: { folder, resume: true } });
  expect(rest).toEqual(whole.slice(3));
  expect(await files()).toEqual(expected);
  expect(whole).not.toEqual(await train({ reference: newModel(2) }));
});

test('a damaged reference is refused, naming the file', async () => {
  const following = { reference: newModel(2), syncRefModel: {} };
  await train({ ...following, steps: 1, checkpoint: { folder } });
  const path = join(folder, 'checkpoints', 'step-000001', 'reference.safetensors');
  const bytes = await readFile(path);
  bytes[bytes.length - 5]! ^= 1;
  await writeFile(path, bytes);
  const resumed = train({ ...following, checkpoint: { folder, resume: true } });
  await expect(resumed).rejects.toThrow(/reference\.safetensors is damaged/);
});

describe('refuses', () => {
  test('a loss without reference', async () => {
    const without = train({ loss: grpoLoss(), syncRefModel: {} });
    await expect(without).rejects.toThrow(
      "syncRefModel needs a reference that the loss uses, and the loss 'grpo' has none",
    );
  });

  test('a policy with an adapter, whose reference is its own base', async () => {
    const model = lora(newModel(), { rank: 2, seed: 1 });
    const adapted = train({ reference: model.adapter!.base, syncRefModel: {} }, model);
    await expect(adapted).rejects.toThrow('syncRefModel does not apply to a policy with an adapter');
  });

  test('a reference with other parameters', async () => {
    const { 'model.norm.weight': _, ...parameters } = newModel().parameters;
    const reference = { ...newModel(), parameters };
    const other = train({ reference, syncRefModel: {} });
    await expect(other).rejects.toThrow("'model.norm.weight' is [8] in the policy and missing in the reference");
  });

  test.each([
    [{ mixupAlpha: 1.5 }, 'syncRefModel.mixupAlpha must be a number in [0, 1], got 1.5'],
    [{ syncSteps: 0 }, 'syncRefModel.syncSteps must be an integer ≥ 1, got 0'],
    [{ alpha: 0.5 } as object, 'syncRefModel has no option "alpha"'],
  ])('%o', async (syncRefModel, message) => {
    await expect(train({ reference: newModel(2), syncRefModel })).rejects.toThrow(message);
  });
});
