import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheFolder, findModelFolder, isModelName, modelRoots } from './model-cache.js';

const environment = { ...process.env };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rarefy-models-'));
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  process.env.RAREFY_MODELS = join(folder, 'models');
});
afterEach(() => {
  process.env = { ...environment };
  rmSync(folder, { recursive: true });
});

function writeModel(root: string, name: string, marker: string) {
  mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, name, marker), '{}');
  return join(root, name);
}

test('a model is found by its repository in RAREFY_MODELS first, then in the cache', async () => {
  const cache = join(folder, 'cache', 'rarefy', 'models');
  expect(cacheFolder('models')).toBe(cache);
  expect(await findModelFolder('all-MiniLM-L6-v2')).toBeUndefined();
  writeModel(cache, 'all-MiniLM-L6-v2', 'config.json'); // an incomplete download
  expect(await findModelFolder('all-MiniLM-L6-v2')).toBeUndefined();
  const pulled = { folder: writeModel(cache, 'all-MiniLM-L6-v2', 'modules.json'), source: 'the model cache' };
  const other = { folder: writeModel(cache, 'some--model', 'rarefy-model.json'), source: 'the model cache' };
  for (const name of ['all-MiniLM-L6-v2', 'sentence-transformers/all-MiniLM-L6-v2']) {
    expect(await findModelFolder(name)).toEqual(pulled);
  }
  expect(await findModelFolder('some/model')).toEqual(other);
  expect(await findModelFolder('model')).toBeUndefined();
  expect(await findModelFolder('another/all-MiniLM-L6-v2')).toBeUndefined();
  const own = {
    folder: writeModel(join(folder, 'models'), 'all-MiniLM-L6-v2', 'modules.json'),
    source: 'RAREFY_MODELS',
  };
  expect(await findModelFolder('sentence-transformers/all-MiniLM-L6-v2')).toEqual(own);
  const nested = { folder: writeModel(join(folder, 'models'), 'some/model', 'modules.json'), source: 'RAREFY_MODELS' };
  expect(await findModelFolder('some/model')).toEqual(nested);
  delete process.env.RAREFY_MODELS;
  expect(modelRoots()).toEqual([{ root: cache, source: 'the model cache' }]);
});

test('paths are not model names and lead nowhere', async () => {
  writeModel(join(folder, 'cache', 'rarefy'), '.', 'modules.json');
  for (const path of ['.', '..', './a', '../a', '/a', '~/a', 'a/..', 'a/b/c', 'sentence-transformers/..', '', 'a b']) {
    expect([isModelName(path), await findModelFolder(path)]).toEqual([false, undefined]);
  }
});
