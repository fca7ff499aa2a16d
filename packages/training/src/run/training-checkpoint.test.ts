import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';
import {
  activate,
  type CausalLanguageModel,
  initialWeights,
  languageModel,
  loadLanguageModel,
  loadWeights,
  weightsDigest,
} from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { latestCheckpoint, loadTrainingState, saveTrainingCheckpoint } from './training-checkpoint.js';

const tokenizer = trainBytePairTokenizer(['one two three'], { vocabularySize: 280 });
const config = {
  model_type: 'gpt2',
  vocab_size: tokenizer.vocabularySize,
  n_embd: 8,
  n_head: 2,
  n_layer: 1,
  n_positions: 16,
};
const optimizer = {
  step: 3,
  tensors: { 'exp_avg.x': Float32Array.from([1, 2]), 'exp_avg_sq.x': Float32Array.from([3, 4]) },
};

let folder: string;
let model: CausalLanguageModel;
beforeAll(() => activate('cpu'));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-checkpoint-'));
  model = languageModel(config, initialWeights(config, 1));
});
afterEach(async () => {
  model.dispose();
  await rm(folder, { recursive: true });
});
const save = (step: number) =>
  saveTrainingCheckpoint(folder, { model, tokenizer, config }, { step, optimizer, state: { draws: step } });

test('a saved checkpoint loads unchanged, and its folder is a model folder', async () => {
  const path = await save(7);
  expect(await loadTrainingState(path)).toEqual({ step: 7, optimizer, state: { draws: 7 } });
  const loaded = await loadLanguageModel(path);
  expect(await weightsDigest(loaded.model)).toBe(await weightsDigest(model));
  expect([...loaded.tokenizer.encode('one three')]).toEqual([...tokenizer.encode('one three')]);
  loaded.model.dispose();
});

test('the newest checkpoints are kept, and an incomplete one does not count', async () => {
  for (const step of [5, 10, 999_999, 1_000_000]) await save(step);
  await mkdir(join(folder, 'step-2000000.tmp'));
  expect((await readdir(folder)).sort()).toEqual(['step-1000000', 'step-2000000.tmp', 'step-999999']);
  expect(await latestCheckpoint(folder)).toBe(join(folder, 'step-1000000'));
  expect(await latestCheckpoint(join(folder, 'nothing'))).toBeUndefined();
});

test('the folder of a run is not the folder of its checkpoints or a model, and the message names the one to give', async () => {
  const checkpoints = join(folder, 'checkpoints');
  const newest = join(checkpoints, 'step-000002');
  for (const step of [1, 2]) {
    await saveTrainingCheckpoint(checkpoints, { model, tokenizer, config }, { step, optimizer, state: {} });
  }
  expect(await latestCheckpoint(checkpoints)).toBe(newest);
  for (const [call, hint] of [
    [() => latestCheckpoint(folder), `its checkpoints are in ${checkpoints}: give that folder`],
    [() => loadWeights(model, folder), `It is the folder of a run; give its newest checkpoint, ${newest}`],
    [() => loadLanguageModel(folder), `give its newest checkpoint, ${newest}`],
    [() => loadWeights(model, checkpoints), `give its newest checkpoint, ${newest}`],
  ] as const) {
    await expect(call()).rejects.toThrow(InputError);
    await expect(call()).rejects.toThrow(hint);
  }
  await loadWeights(model, newest);
});

test('a flipped bit in any file, a missing file and a truncated file are detected', async () => {
  const path = await save(1);
  for (const name of await readdir(path)) {
    const whole = await readFile(join(path, name));
    for (const damaged of [Buffer.from(whole), whole.subarray(0, whole.length - 7), undefined]) {
      if (damaged?.length === whole.length) damaged[Math.floor(whole.length / 2)]! ^= 4;
      if (damaged) await writeFile(join(path, name), damaged);
      else await rm(join(path, name));
      const error = await loadTrainingState(path).catch((caught: unknown) => caught);
      const missing = name === 'trainer.json' && !damaged;
      expect((missing ? InputError : CorruptFileError).isInstance(error), name).toBe(true);
      await writeFile(join(path, name), whole);
    }
  }
});
