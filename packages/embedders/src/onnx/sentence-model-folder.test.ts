import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError, InvalidArgumentError, MissingDependencyError } from '@rarefy/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isInstalled } from '../../../../tests/support/is-installed.js';
import {
  openSmallModel as open,
  stateRuntime,
  writeSentenceModel,
} from '../../../../tests/support/small-sentence-model.js';
import { type OnnxRuntime, onnxEmbedder } from './onnx-embedder.js';

describe('models that cannot be used are rejected with a fix', () => {
  test.each(['modules.json', '1_Pooling/config.json', 'tokenizer.json', 'onnx/model.onnx'])(
    'missing %s',
    async (name) => {
      await expect(open({ [name]: undefined })).rejects.toThrow(InputError);
      await expect(open({ [name]: undefined })).rejects.toThrow(new RegExp(`has no .*${name.split('/').at(-1)}`));
      await expect(open({ [name]: undefined })).rejects.toThrow(/; (give|save|export|it says)/);
    },
  );

  test.each(['modules.json', '1_Pooling/config.json', 'tokenizer.json', 'sentence_bert_config.json'])(
    'incomplete %s',
    async (name) => {
      for (const content of ['{"a', '', '3']) await expect(open({ [name]: content })).rejects.toThrow(CorruptFileError);
    },
  );

  test.each([
    ['modules outside the folder', { 'modules.json': [{ path: '../..', type: 'Transformer' }] }, 'outside the folder'],
    [
      'unknown modules',
      { 'modules.json': [{ path: '', type: 'a.StaticEmbedding' }] },
      'has the modules StaticEmbedding',
    ],
    ['modules that are not a list', { 'modules.json': {} }, 'is not a list'],
    ['modules that are not objects', { 'modules.json': [null] }, 'has the modules undefined'],
    ['unknown pooling', { '1_Pooling/config.json': { pooling_mode: 'weightedmean' } }, 'pools by weightedmean'],
    ['two poolings', { '1_Pooling/config.json': { pooling_mode: ['cls', 'mean'] } }, 'pools by cls and mean'],
  ] as const)('%s', async (_, files, message) => {
    await expect(open(files)).rejects.toThrow(InputError);
    await expect(open(files)).rejects.toThrow(message);
  });

  test('graphs with other inputs or outputs', async () => {
    const folder = writeSentenceModel();
    for (const names of [
      { inputs: ['input_ids', 'attention_mask', 'past_key_values.0.key'] },
      { outputs: ['logits'] },
    ]) {
      const { lib, seen } = stateRuntime(names);
      await expect(onnxEmbedder(folder, { lib })).rejects.toThrow(/past_key_values|logits/);
      expect(seen.released).toBe(1);
    }
    const { lib } = stateRuntime();
    const create = () => Promise.reject(new Error('protobuf parsing failed'));
    await expect(onnxEmbedder(folder, { lib: { ...lib, InferenceSession: { create } } })).rejects.toThrow(InputError);
  });

  test('options out of range and a missing library', async () => {
    await expect(open({}, { batchTokens: 0 })).rejects.toThrow(InvalidArgumentError);
    await expect(open({}, { dtype: 'fp64' as 'fp32' })).rejects.toThrow('dtype must be one of fp32, fp16, int8');
    await expect(open({}, { dtype: 'fp16' })).rejects.toThrow(
      'has no onnx/model_fp16.onnx for dtype fp16; give a dtype that it has: fp32',
    );
    const quantized = { 'onnx/model.onnx': undefined, 'onnx/model_quantized.onnx': '', 'model_q4.onnx': '' };
    await expect(open(quantized)).rejects.toThrow(
      'has no onnx/model.onnx for dtype fp32; give a dtype that it has: q8, q4',
    );
    await expect(open({}, { pooling: 'last' as 'max' })).rejects.toThrow(
      'pooling must be one of mean, cls, lasttoken, max, got "last"',
    );
    await expect(open({}, { maxTokens: '8' as unknown as number })).rejects.toThrow('got "8"');
    await expect(open({}, { promptName: 'query' })).rejects.toThrow(
      'promptName must be a prompt of the model (none), got "query"',
    );
    for (const [lib, seen] of [
      [{}, 'an object without InferenceSession and Tensor'],
      ['onnxruntime-node', 'a string'],
    ]) {
      await expect(open({}, { lib: lib as OnnxRuntime })).rejects.toThrow(
        new InvalidArgumentError(
          `the module given for onnxruntime-node is ${seen}; give what \`await import('onnxruntime-node')\` returns, or leave the option out`,
        ),
      );
    }
    await expect(open({}, { tokenizers: {} as never })).rejects.toThrow(
      'the module given for @huggingface/tokenizers is an object without Tokenizer',
    );
    if (isInstalled('onnxruntime-node')) return;
    const missing = onnxEmbedder(writeSentenceModel());
    await expect(missing).rejects.toThrow(MissingDependencyError);
    await expect(missing).rejects.toThrow(/^onnxruntime-node is /);
  });
});

test.each([
  [undefined, 'undefined'],
  ['', '""'],
  [{ dtype: 'q8' }, 'an object'],
])('without a name, as %j, the message says what to give', async (name, seen) => {
  await expect(onnxEmbedder(name as string)).rejects.toThrow(
    new InvalidArgumentError(
      `onnxEmbedder needs the name or folder of a model, such as 'sentence-transformers/all-MiniLM-L6-v2'; got ${seen}`,
    ),
  );
});

describe('a model is found by its name', () => {
  const environment = { ...process.env };
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rarefy-named-'));
    process.env.XDG_CACHE_HOME = folder;
    delete process.env.RAREFY_MODELS;
  });
  afterEach(() => {
    process.env = { ...environment };
    rmSync(folder, { recursive: true });
  });
  const { lib } = stateRuntime();

  test('in the cache and in RAREFY_MODELS', async () => {
    const model = writeSentenceModel();
    const { fingerprint } = await onnxEmbedder(model, { lib });
    cpSync(model, join(folder, 'rarefy', 'models', 'all-MiniLM-L6-v2'), { recursive: true });
    for (const name of ['sentence-transformers/all-MiniLM-L6-v2', 'all-MiniLM-L6-v2']) {
      expect((await onnxEmbedder(name, { lib })).fingerprint).toBe(fingerprint);
    }
    process.env.RAREFY_MODELS = join(folder, 'own');
    const other = writeSentenceModel({ 'onnx/model.onnx': 'another graph' });
    cpSync(other, join(folder, 'own', 'all-MiniLM-L6-v2'), { recursive: true });
    expect((await onnxEmbedder('sentence-transformers/all-MiniLM-L6-v2', { lib })).fingerprint).toBe(
      (await onnxEmbedder(other, { lib })).fingerprint,
    );
  });

  test('otherwise the message says how to pull it', async () => {
    const missing = onnxEmbedder('sentence-transformers/all-MiniLM-L6-v2', { lib });
    await expect(missing).rejects.toThrow(InputError);
    await expect(missing).rejects.toThrow(
      `no model of that name in the model cache (${join(folder, 'rarefy', 'models')}). Get it with: rarefy models pull sentence-transformers/all-MiniLM-L6-v2`,
    );
    for (const path of ['./all-MiniLM-L6-v2', '/no/such/model', 'all MiniLM', 'a/b/c']) {
      await expect(onnxEmbedder(path, { lib })).rejects.toThrow(
        new InputError(
          `there is no folder "${path}"; give the folder of a model, or the name of one that \`rarefy models pull\` downloaded, such as 'sentence-transformers/all-MiniLM-L6-v2'`,
        ),
      );
    }
  });
});
