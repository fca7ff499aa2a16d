import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, ShapeError } from '@rarefy/core';
import { readSafetensors, toFloat32, toInt32, writeSafetensors } from '@rarefy/io';
import {
  activate,
  type CausalLanguageModel,
  languageModel,
  loadLanguageModel,
  loadLora,
  lora,
  mergeLora,
  rewardModel,
  saveLanguageModel,
  tokenLogProbabilities,
} from '@rarefy/lm';
import { saveTokenizer, trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';
import { goldenPath, relativeError } from './support/golden.js';
import { runPython, withoutModules } from './support/python.js';

/** What tests/python/peft_adapters.py wrote: the base of each adapter. */
const bases = { gpt2: 'gpt2', llama: 'llama', phi3: 'families/phi3', reward: 'llama' } as const;
type Name = keyof typeof bases;
const languageModels = ['gpt2', 'llama', 'phi3'] as const;
const tokenizer = trainBytePairTokenizer(['one two three'], { vocabularySize: 270 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-peft-'));
  for (const name of Object.keys(bases) as Name[]) {
    await cp(goldenPath(`lora/${name}`), join(folder, name, 'adapter'), { recursive: true });
    await cp(goldenPath(bases[name]), join(folder, name, 'base'), { recursive: true });
    await saveTokenizer(join(folder, name, 'base'), tokenizer);
  }
});
afterAll(() => rm(folder, { recursive: true }));

const adapterOf = (name: Name) => join(folder, name, 'adapter');
async function baseOf(name: Name): Promise<CausalLanguageModel> {
  const { tensors } = await readSafetensors(goldenPath(`${bases[name]}/model.safetensors`));
  const weights = new Map([...tensors].map(([key, tensor]) => [key, { shape: tensor.shape, data: toFloat32(tensor) }]));
  return languageModel(JSON.parse(await readFile(goldenPath(`${bases[name]}/config.json`), 'utf8')), weights);
}

async function expectedOf(name: Name) {
  const { tensors } = await readSafetensors(goldenPath(`lora/${name}/expected.safetensors`));
  const ints = (key: string) => tf.tensor2d(toInt32(tensors.get(key)!), [2, 10], 'int32');
  const floats = (key: string) => toFloat32(tensors.get(key)!);
  return { ids: ints('ids'), mask: ints('mask'), floats, keys: [...tensors.keys()] };
}
type Expected = Awaited<ReturnType<typeof expectedOf>>;

/** Logits of the real tokens. */
function realLogits(values: Float32Array, { mask }: Expected): Float32Array {
  const width = values.length / mask.size;
  const real = mask.dataSync();
  return values.filter((_, at) => real[Math.floor(at / width)] === 1);
}
const logitsOf = (model: CausalLanguageModel, expected: Expected) => {
  const { ids, mask } = expected;
  return realLogits(
    tf.tidy(() => model.forward(ids, mask).logits.dataSync<'float32'>().slice()),
    expected,
  );
};

/** Mean loss of the next real tokens, as in the Python script. */
function lossOf(model: CausalLanguageModel, { ids, mask }: Expected): tf.Scalar {
  return tf.tidy(() => {
    const { logits } = model.forward(ids, mask);
    const width = logits.shape[2];
    const before = tf.reshape(tf.slice(logits, [0, 0, 0], [2, 9, width]), [18, width]) as tf.Tensor2D;
    const next = tf.reshape(tf.slice(ids, [0, 1], [2, 9]), [18]) as tf.Tensor1D;
    const real = tf.cast(tf.reshape(tf.slice(mask, [0, 1], [2, 9]), [18]), 'float32');
    return tf.neg(tf.div(tf.sum(tf.mul(tokenLogProbabilities(before, next), real)), tf.sum(real))) as tf.Scalar;
  });
}

describeOnBackends('adapters of PEFT', () => {
  test.each(languageModels)('%s: logits, loss and gradients are those of PEFT', async (name) => {
    const expected = await expectedOf(name);
    const { model, extra } = await loadLora(await baseOf(name), adapterOf(name));
    expect(extra.size).toBe(0);
    const logits = realLogits(expected.floats('logits'), expected);
    expect(relativeError(logitsOf(model, expected), logits)).toBeLessThan(1e-5);
    const { value, grads } = tf.variableGrads(() => lossOf(model, expected), Object.values(model.parameters));
    expect(value.dataSync()[0]).toBeCloseTo(expected.floats('loss')[0]!, 5);
    const gradients = expected.keys.filter((key) => key.startsWith('gradient.')).map((key) => key.slice(9));
    expect(Object.keys(model.parameters).sort()).toEqual(gradients.sort());
    for (const [key, variable] of Object.entries(model.parameters)) {
      const gradient = grads[variable.name]!.dataSync<'float32'>();
      expect(relativeError(gradient, expected.floats(`gradient.${key}`)), key).toBeLessThan(1e-4);
    }
    const merged = mergeLora(model);
    expect(relativeError(logitsOf(merged, expected), logits)).toBeLessThan(1e-5);
    merged.dispose();
    model.dispose();
    tf.dispose([value, grads]);
  });

  test('the reward head of an adapter is read, and rewards are those of PEFT', async () => {
    const expected = await expectedOf('reward');
    const loaded = await loadLora(await baseOf('reward'), adapterOf('reward'));
    const merged = await loadLanguageModel(adapterOf('reward'));
    for (const { model, extra } of [loaded, merged]) {
      const reward = rewardModel(model, extra);
      const rewards = tf.tidy(() => reward.score(expected.ids, expected.mask).dataSync<'float32'>().slice());
      expect(relativeError(rewards, expected.floats('rewards'))).toBeLessThan(1e-5);
      reward.dispose();
    }
  });

  test.each(languageModels)('%s: loadLanguageModel merges the adapter into the base that it names', async (name) => {
    const expected = await expectedOf(name);
    const { model } = await loadLanguageModel(adapterOf(name));
    expect(model.adapter).toBeUndefined();
    const logits = realLogits(expected.floats('logits'), expected);
    expect(relativeError(logitsOf(model, expected), logits)).toBeLessThan(1e-5);
    model.dispose();
  });

  test.each(Object.keys(bases) as Name[])('%s: the tensors that we write are those that we read', async (name) => {
    const { model, extra } = await loadLora(await baseOf(name), adapterOf(name));
    const saved = join(folder, name, 'saved');
    await mkdir(saved, { recursive: true });
    await saveLanguageModel(saved, { model, tokenizer, extra });
    const [before, after] = await Promise.all(
      [adapterOf(name), saved].map((path) => readSafetensors(join(path, 'adapter_model.safetensors'))),
    );
    expect([...after!.tensors.keys()].sort()).toEqual([...before!.tensors.keys()].sort());
    for (const [key, tensor] of before!.tensors) {
      expect(after!.tensors.get(key)!.shape).toEqual(tensor.shape);
      expect(toFloat32(after!.tensors.get(key)!)).toEqual(toFloat32(tensor));
    }
    const [theirs, ours] = await Promise.all(
      [adapterOf(name), saved].map(async (path) =>
        JSON.parse(await readFile(join(path, 'adapter_config.json'), 'utf8')),
      ),
    );
    expect(ours).toMatchObject({
      peft_type: 'LORA',
      base_model_name_or_path: '../base',
      task_type: theirs.task_type,
      r: theirs.r,
      lora_alpha: theirs.lora_alpha,
    });
    expect(Object.keys(ours).filter((key) => !Object.hasOwn(theirs, key))).toEqual([]); // PEFT knows every field
    model.dispose();
  });

  describe('what is refused', () => {
    const changed = async (change: object, name: Name = 'llama') => {
      const copy = join(folder, 'changed');
      await cp(adapterOf(name), copy, { recursive: true });
      const path = join(copy, 'adapter_config.json');
      await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }));
      return copy;
    };

    test.each([
      { use_dora: true },
      { use_rslora: true },
      { bias: 'all' },
      { rank_pattern: { q_proj: 8 } },
      { alpha_pattern: { q_proj: 8 } },
      { modules_to_save: ['lm_head'] },
      { peft_type: 'LOHA' },
      { r: 0 },
    ])('a config with %j', async (change) => {
      const copy = await changed(change);
      const base = await baseOf('llama');
      await expect(loadLora(base, copy)).rejects.toThrow(Object.keys(change)[0]);
      await expect(loadLora(base, copy)).rejects.toThrow(InputError);
      base.dispose();
    });

    test('matrices that do not fit', async () => {
      const base = await baseOf('llama');
      await expect(loadLora(base, await changed({ r: 2 }))).rejects.toThrow(ShapeError);
      await expect(loadLora(base, adapterOf('gpt2'))).rejects.toThrow('belongs to no layer of the base');
      base.dispose();
    });

    test('a base that is not here, or the adapter itself', async () => {
      await expect(loadLanguageModel(await changed({ base_model_name_or_path: 'org/name' }))).rejects.toThrow(
        "its base_model_name_or_path is 'org/name', which is no model folder here",
      );
      await expect(loadLanguageModel(await changed({ base_model_name_or_path: null }))).rejects.toThrow('is missing');
      await expect(loadLanguageModel(await changed({ base_model_name_or_path: '.' }))).rejects.toThrow(
        'adapter itself',
      );
    });
  });
});

const reason = withoutModules('torch', 'transformers', 'peft');
test.skipIf(reason !== '')(
  `PEFT in Python reads what we write${reason}`,
  async () => {
    await activate('wasm');
    const files: string[] = [];
    for (const name of Object.keys(bases) as Name[]) {
      const { ids, mask } = await expectedOf(name);
      const model = lora(await baseOf(name), { rank: 4, alpha: 7, seed: 3 });
      for (const [key, weight] of Object.entries(model.parameters)) {
        if (key.includes('lora_B')) weight.assign(tf.randomNormal(weight.shape, 0, 0.3, 'float32', 9));
      }
      const head = { shape: [1, 48], data: Float32Array.from({ length: 48 }, (_, at) => Math.sin(at)) };
      const extra = new Map(name === 'reward' ? [['score.weight', head]] : []);
      const written = join(folder, name, 'written');
      await mkdir(written, { recursive: true });
      await saveLanguageModel(written, { model, tokenizer, extra });
      const reward = rewardModel(model, extra);
      const values = name === 'reward' ? reward.score(ids, mask) : model.forward(ids, mask).logits;
      const file = join(folder, name, 'values.safetensors');
      await writeSafetensors(file, {
        ids: { dtype: 'I32', shape: [2, 10], data: (await ids.data()) as Int32Array },
        mask: { dtype: 'I32', shape: [2, 10], data: (await mask.data()) as Int32Array },
        [name === 'reward' ? 'rewards' : 'logits']: {
          dtype: 'F32',
          shape: values.shape,
          data: (await values.data()) as Float32Array,
        },
      });
      files.push(join(folder, name, 'base'), written, file);
      reward.dispose();
    }
    const lines = runPython('peft_adapters.py', 'read', ...files)
      .trim()
      .split('\n');
    for (const [index, name] of Object.keys(bases).entries()) {
      const { error, merged } = JSON.parse(lines[index]!);
      expect(error, name).toBeLessThan(1e-5);
      expect(merged, name).toBeLessThan(1e-5);
    }
  },
  300_000,
);
