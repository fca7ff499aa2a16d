import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { counterRandom } from '@rarefy/core';
import { readSafetensors } from '@rarefy/io';
import {
  chooseBackend,
  initialWeights,
  languageModel,
  loadLanguageModel,
  padRight,
  type RewardModel,
  rewardModel,
  saveLanguageModel,
} from '@rarefy/lm';
import { chatFormat, trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runPython, withoutModules } from './support/python.js';

const texts = ['a short answer', 'one that is much longer than the others, by far', 'no', 'maybe so'];
const tokenizer = trainBytePairTokenizer(texts, { vocabularySize: 300 });
const format = chatFormat(tokenizer);
const rows = texts.map((text) => format.conversation('What now?', text).ids);

const llama = {
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 96,
  rms_norm_eps: 1e-6,
};
const configs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'llama, tied': { ...llama, model_type: 'llama', tie_word_embeddings: true },
  'llama, untied': { ...llama, model_type: 'llama', tie_word_embeddings: false },
  // The token that ends an answer must not be the one that pads.
  'qwen2, padded with the stop token': {
    ...llama,
    ...{ model_type: 'qwen2', tie_word_embeddings: false, pad_token_id: format.stopId },
  },
  qwen3: { ...llama, model_type: 'qwen3', head_dim: 8, tie_word_embeddings: true },
  mistral: { ...llama, model_type: 'mistral', head_dim: 8, sliding_window: null, tie_word_embeddings: false },
  gpt2: {
    ...{ model_type: 'gpt2', vocab_size: tokenizer.vocabularySize, n_embd: 16, n_layer: 2, n_head: 2 },
    n_positions: 96,
  },
};

let folder: string;
beforeAll(async () => {
  await chooseBackend({ backend: 'wasm' });
  folder = await mkdtemp(join(tmpdir(), 'rarefy-reward-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Weights far enough from 0 that a wrong position or a missing bias shows. */
function newReward(config: object): RewardModel {
  const model = languageModel(config, initialWeights({ ...config, initializer_range: 0.3 }, 5));
  const random = counterRandom(7);
  const data = Float32Array.from({ length: 16 }, (_, index) => random.uniform(index) - 0.5);
  return rewardModel(model, new Map([['score.weight', { shape: [1, 16], data }]]));
}

function scores(reward: RewardModel): number[] {
  return tf.tidy(() => {
    const { ids, mask } = padRight(rows);
    return Array.from(reward.score(ids, mask).dataSync());
  });
}

test.each(Object.entries(configs))(
  '%s: a saved reward model is a classification folder, and loads again',
  async (name, config) => {
    const reward = newReward(config);
    const path = join(folder, 'own');
    await saveLanguageModel(path, { model: reward.model, tokenizer, config, extra: await reward.head() });
    const saved = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));
    expect(saved).toMatchObject({ num_labels: 1, id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } });
    expect(saved.architectures[0]).toMatch(/ForSequenceClassification$/);
    expect(saved.pad_token_id).not.toBe(format.stopId);
    expect(saved.pad_token_id).toBeLessThan(tokenizer.vocabularySize);
    const { tensors } = await readSafetensors(join(path, 'model.safetensors'));
    expect([...tensors.keys()]).toContain('score.weight');
    expect([...tensors.keys()], name).not.toContain('lm_head.weight');

    const { model, extra } = await loadLanguageModel(path);
    const again = rewardModel(model, extra);
    expect(scores(again)).toEqual(scores(reward));
    again.dispose();
    reward.dispose();
  },
);

test('a family that transformers cannot classify with keeps its architecture', async () => {
  const config = { ...llama, model_type: 'nanochat', architectures: ['NanoChatForCausalLM'] };
  const reward = newReward(config);
  await saveLanguageModel(join(folder, 'other'), {
    model: reward.model,
    tokenizer,
    config,
    extra: await reward.head(),
  });
  const saved = JSON.parse(await readFile(join(folder, 'other/config.json'), 'utf8'));
  expect(saved).toMatchObject({ architectures: ['NanoChatForCausalLM'], num_labels: 1 });
  reward.dispose();
});

const reason = withoutModules('torch', 'transformers');
describe.skipIf(reason !== '')(`against transformers${reason}`, () => {
  test('the same rewards in both directions', { timeout: 600_000 }, async () => {
    const cases = Object.entries(configs).map(([name, config], index) => {
      const [own, theirs] = [join(folder, `own-${index}`), join(folder, `theirs-${index}`)];
      return { name, config, own, theirs, expected: [] as number[] };
    });
    for (const { config, own, expected } of cases) {
      const reward = newReward(config);
      await saveLanguageModel(own, { model: reward.model, tokenizer, config, extra: await reward.head() });
      expected.push(...scores(reward));
      reward.dispose();
    }
    const file = join(folder, 'rows.json');
    await writeFile(file, JSON.stringify(rows.map((row) => [...row])));
    const folders = cases.flatMap(({ own, theirs }) => [own, theirs]);
    const lines = runPython('sequence_classification.py', file, ...folders)
      .trim()
      .split('\n');
    expect(lines).toHaveLength(cases.length);
    for (const [index, { name, own, theirs, expected }] of cases.entries()) {
      const seen = JSON.parse(lines[index]!);
      expect(seen, name).toMatchObject({
        missing: [],
        unexpected: [],
        class: expect.stringContaining('SequenceClassification'),
      });
      expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.1);
      for (const [row, value] of expected.entries()) expect(seen.rewards[row], name).toBeCloseTo(value, 4);

      await cp(join(own, 'tokenizer.json'), join(theirs, 'tokenizer.json'));
      const { model, extra } = await loadLanguageModel(theirs);
      const loaded = rewardModel(model, extra);
      for (const [row, value] of scores(loaded).entries()) expect(value, name).toBeCloseTo(expected[row]!, 4);
      loaded.dispose();
    }
  });
});
