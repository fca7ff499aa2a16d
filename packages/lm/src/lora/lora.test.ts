import '@tensorflow/tfjs';
import { InvalidArgumentError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import type { CausalLanguageModel } from '../families/causal-language-model.js';
import { recomputed } from '../families/forward-defaults.js';
import { fromForwardModel } from '../families/from-forward-model.js';
import { initialWeights, languageModel } from '../families/language-model.js';
import { type LoraOptions, lora, mergeLora } from './lora.js';

beforeAll(() => activate('cpu'));

const config = {
  model_type: 'gpt2',
  ...{ vocab_size: 20, n_embd: 16, n_head: 2, n_layer: 2, n_positions: 8 },
};
const build = () => languageModel(config, initialWeights(config, 1));
const namesOf = (model: CausalLanguageModel) => Object.keys(model.parameters);
const valuesOf = (model: CausalLanguageModel) => Object.values(model.parameters).map((each) => [...each.dataSync()]);

test('A starts uniform within ±1/√in and B at zero, from the seed', () => {
  const model = lora(build(), { rank: 5, seed: 3 });
  expect(model.adapter).toMatchObject({ rank: 5, alpha: 10, targets: ['c_attn', 'c_fc', 'c_proj'] });
  const shapes = Object.entries(model.parameters).map(([name, { shape }]) => [name, shape]);
  expect(Object.fromEntries(shapes)).toMatchObject({
    'transformer.h.1.attn.c_attn.lora_A.weight': [5, 16],
    'transformer.h.1.attn.c_attn.lora_B.weight': [48, 5],
    'transformer.h.1.mlp.c_proj.lora_A.weight': [5, 64],
    'transformer.h.1.mlp.c_proj.lora_B.weight': [16, 5],
  });
  expect(shapes).toHaveLength(2 * 4 * 2);
  for (const [name, weight] of Object.entries(model.parameters)) {
    const values = [...weight.dataSync()];
    if (name.includes('lora_B')) expect(new Set(values)).toEqual(new Set([0]));
    else {
      const bound = 1 / Math.sqrt(weight.shape[1]!);
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
      const variance = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
      expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 0); // of a uniform distribution
    }
  }
  expect(valuesOf(lora(build(), { rank: 5, seed: 3 }))).toEqual(valuesOf(model));
  expect(valuesOf(lora(build(), { rank: 5, seed: 4 }))).not.toEqual(valuesOf(model));
});

test('targets name layers by their last parts', () => {
  expect(namesOf(lora(build(), { targets: ['mlp.c_proj'], seed: 1 }))).toEqual([
    'transformer.h.0.mlp.c_proj.lora_A.weight',
    'transformer.h.0.mlp.c_proj.lora_B.weight',
    'transformer.h.1.mlp.c_proj.lora_A.weight',
    'transformer.h.1.mlp.c_proj.lora_B.weight',
  ]);
  expect(namesOf(lora(build(), { targets: ['c_proj'], seed: 1 }))).toHaveLength(8);
});

test.each<[Partial<LoraOptions>, string]>([
  [{ targets: ['q_proj'] }, 'no linear layer has the name "q_proj"; targets of this model are c_attn, c_fc, c_proj'],
  [{ targets: ['proj'] }, 'no linear layer has the name "proj"'],
  [{ targets: [] }, "targets must be 'all-linear', or an array"],
  [{ rank: 0 }, 'rank must be an integer ≥ 1, got 0'],
  [{ alpha: -1 }, 'alpha must be'],
  [{ seed: 0.5 }, 'seed must be'],
  [{ dropout: 0.1 } as object, 'dropout'],
])('%j is refused', (options, message) => {
  const before = tf.memory().numTensors;
  const model = build();
  expect(() => lora(model, { seed: 1, ...options })).toThrow(message);
  expect(() => lora(model, { seed: 1, ...options })).toThrow(InvalidArgumentError);
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('models without known layers, without an adapter and with one are refused where they do not fit', () => {
  const weight = tf.variable(tf.zeros([4, 3])) as tf.Variable<tf.Rank.R2>;
  const own = fromForwardModel(
    { forward: () => ({ logits: tf.zeros([1, 1, 4]), hiddenStates: tf.zeros([1, 1, 3]) }) },
    { head: { weight: weight as unknown as tf.Tensor2D }, maxPositions: 4 },
  );
  expect(() => lora(own, { seed: 1 })).toThrow('lora needs a model of a built-in family');
  expect(() => recomputed(own)).toThrow('recomputed needs a model of a built-in family');
  expect(() => mergeLora(build())).toThrow('mergeLora needs a model with an adapter');
  expect(() => lora(lora(build(), { seed: 1 }), { seed: 1 })).toThrow('the model already has an adapter');
});
