import { CorruptFileError, InputError, InvalidArgumentError, MissingDependencyError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { isInstalled } from '../../../../tests/support/is-installed.js';
import {
  openSmallModel as open,
  stateRuntime,
  writeSentenceModel,
} from '../../../../tests/support/small-sentence-model.js';
import { onnxEmbedder } from '../onnx.js';

describe('what cannot be used is refused, with the fix', () => {
  test.each(['modules.json', '1_Pooling/config.json', 'tokenizer.json', 'onnx/model.onnx'])('no %s', async (name) => {
    await expect(open({ [name]: undefined })).rejects.toThrow(InputError);
    await expect(open({ [name]: undefined })).rejects.toThrow(new RegExp(`holds no .*${name.split('/').at(-1)}`));
    await expect(open({ [name]: undefined })).rejects.toThrow(/; (give|save|export|it tells)/);
  });

  test.each(['modules.json', '1_Pooling/config.json', 'tokenizer.json', 'sentence_bert_config.json'])(
    '%s cut short',
    async (name) => {
      for (const content of ['{"a', '', '3']) await expect(open({ [name]: content })).rejects.toThrow(CorruptFileError);
    },
  );

  test.each([
    ['modules outside the folder', { 'modules.json': [{ path: '../..', type: 'Transformer' }] }, 'outside the folder'],
    [
      'modules of another make',
      { 'modules.json': [{ path: '', type: 'a.StaticEmbedding' }] },
      'made of StaticEmbedding',
    ],
    ['modules that are no list', { 'modules.json': {} }, 'is no list'],
    ['modules that are no objects', { 'modules.json': [null] }, 'made of undefined'],
    ['another pooling', { '1_Pooling/config.json': { pooling_mode: 'weightedmean' } }, 'pools by weightedmean'],
    ['two poolings', { '1_Pooling/config.json': { pooling_mode: ['cls', 'mean'] } }, 'pools by cls and mean'],
  ] as const)('%s', async (_, files, message) => {
    await expect(open(files)).rejects.toThrow(InputError);
    await expect(open(files)).rejects.toThrow(message);
  });

  test('graphs that do something else', async () => {
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

  test('options out of range, and a library that is not installed', async () => {
    await expect(open({}, { batchTokens: 0 })).rejects.toThrow(InvalidArgumentError);
    await expect(open({}, { dtype: 'fp64' as 'fp32' })).rejects.toThrow('dtype must be one of fp32, fp16, int8');
    await expect(open({}, { dtype: 'fp16' })).rejects.toThrow('holds no onnx/model_fp16.onnx');
    if (isInstalled('onnxruntime-node')) return;
    const missing = onnxEmbedder(writeSentenceModel());
    await expect(missing).rejects.toThrow(MissingDependencyError);
    await expect(missing).rejects.toThrow(/^onnxruntime-node is /);
  });
});
