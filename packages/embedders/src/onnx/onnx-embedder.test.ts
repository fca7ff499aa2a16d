import { cpSync } from 'node:fs';
import { InputError, InvalidArgumentError, RarefyError } from '@rarefy/core';
import { embedderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cls,
  type ModelFiles,
  openSmallModel as open,
  sep,
  smallTokenizer,
  stateRuntime,
  tokenState,
  width,
  writeSentenceModel,
} from '../../../../tests/support/small-sentence-model.js';
import { tokenBudgetRuns } from '../token-budget.js';
import { onnxEmbedder } from './onnx-embedder.js';

const texts = ['many words', '', 'the words of the answers and the prompts', 'a', 'many words'];
const idsOf = (text: string) => [cls, ...smallTokenizer.encode(text), sep];
const pooling = (mode: string): ModelFiles => ({ '1_Pooling/config.json': { pooling_mode: mode } });
const noNormalize: ModelFiles = {
  'modules.json': [
    { path: '', type: 'Transformer' },
    { path: '1_Pooling', type: 'Pooling' },
  ],
};

/** Reference: pools the states of the text's own tokens. */
function pooled(text: string, mode: string): number[] {
  const states = idsOf(text).map(tokenState);
  if (mode === 'cls') return states[0]!;
  if (mode === 'lasttoken') return states.at(-1)!;
  const column = (i: number) => states.map((state) => state[i]!);
  return Array.from({ length: width }, (_, i) =>
    mode === 'max' ? Math.max(...column(i)) : column(i).reduce((sum, value) => sum + value, 0) / states.length,
  );
}

function expectRows(data: Float32Array, expected: readonly number[][]) {
  expect(data.length).toBe(expected.length * width);
  for (const [index, value] of expected.flat().entries()) expect(data[index]).toBeCloseTo(value, 6);
}

describeChecks(
  'onnxEmbedder with a small graph',
  embedderChecks({
    create: async () => onnxEmbedder(writeSentenceModel(), { lib: stateRuntime().lib }),
    variants: [
      async () => onnxEmbedder(writeSentenceModel(), { lib: stateRuntime().lib, maxTokens: 32 }),
      async () => onnxEmbedder(writeSentenceModel(pooling('cls')), { lib: stateRuntime().lib }),
      async () => onnxEmbedder(writeSentenceModel(noNormalize), { lib: stateRuntime().lib }),
      async () => onnxEmbedder(writeSentenceModel({ 'onnx/model.onnx': 'other' }), { lib: stateRuntime().lib }),
      async () => onnxEmbedder(writeSentenceModel({ 'onnx/model.onnx_data': '0' }), { lib: stateRuntime().lib }),
    ],
  }),
);

describe.each(['mean', 'cls', 'lasttoken', 'max'] as const)('pooling %s', (mode) => {
  test.each(['left', 'right'])('uses only real tokens, for a tokenizer that pads on the %s', async (side) => {
    const { embedder } = await open({
      ...pooling(mode),
      ...noNormalize,
      'tokenizer_config.json': { padding_side: side },
    });
    expect(embedder.capabilities).toMatchObject({ dimensions: width, normalized: false });
    const { embeddings } = await embedder.embedBatch(texts);
    expectRows(
      embeddings.data,
      texts.map((text) => pooled(text, mode)),
    );
  });

  test('as an option replaces the pooling of the model', async () => {
    const files = { ...pooling(mode === 'cls' ? 'max' : 'cls'), ...noNormalize };
    const { embedder } = await open(files, { pooling: mode });
    const { embeddings } = await embedder.embedBatch(texts);
    expectRows(
      embeddings.data,
      texts.map((text) => pooled(text, mode)),
    );
    expect(embedder.fingerprint).not.toBe((await open(files)).embedder.fingerprint);
  });

  test('can be a flag in older folders, and Normalize makes rows of length 1', async () => {
    const flag =
      mode === 'lasttoken' ? 'pooling_mode_lasttoken' : `pooling_mode_${mode}_token${mode === 'cls' ? '' : 's'}`;
    const { embedder } = await open({ '1_Pooling/config.json': { word_embedding_dimension: width, [flag]: true } });
    expect(embedder.capabilities.normalized).toBe(true);
    const { embeddings } = await embedder.embedBatch(texts);
    const unit = (row: number[]) => row.map((value) => value / Math.hypot(...row));
    expectRows(
      embeddings.data,
      texts.map((text) => unit(pooled(text, mode))),
    );
  });
});

describe('input of the graph', () => {
  const long = 'words of the answers '.repeat(20);

  test.each(['right', 'left'])(
    'long texts lose tokens on the %s, keep special tokens, and are reported',
    async (side) => {
      const files = {
        'tokenizer_config.json': { truncation_side: side },
        'sentence_bert_config.json': { max_seq_length: 12 },
      };
      const { embedder, seen } = await open(files);
      const { truncated } = await embedder.embedBatch(['a', long, 'b', long]);
      expect([...truncated!]).toEqual([1, 3]);
      const plain = [...smallTokenizer.encode(long)];
      const kept = side === 'right' ? plain.slice(0, 10) : plain.slice(-10);
      expect(seen.runs.flat()).toContainEqual([cls, ...kept, sep]);
      expect([...(await embedder.embedBatch(['a'])).truncated!]).toEqual([]);
    },
  );

  test('a text of millions of characters is cut before it is tokenized', async () => {
    const { embedder, seen } = await open({ 'sentence_bert_config.json': { max_seq_length: 8 } });
    const { truncated } = await embedder.embedBatch(['the '.repeat(1_000_000)]);
    expect([...truncated!]).toEqual([0]);
    expect(seen.runs.flat()).toEqual([[cls, ...smallTokenizer.encode('the '.repeat(20)).slice(0, 6), sep]]);
  });

  test('the maximum length is the smallest in the files, or a smaller option', async () => {
    const files = {
      'sentence_bert_config.json': undefined,
      'tokenizer_config.json': { model_max_length: 1e30 },
      'config.json': { max_position_embeddings: 9 },
    };
    const lengths = async (options: { maxTokens?: number }) => {
      const { embedder, seen } = await open(files, options);
      await embedder.embedBatch([long]);
      return seen.runs[0]![0]!.length;
    };
    expect([await lengths({}), await lengths({ maxTokens: 5 })]).toEqual([9, 5]);
    for (const maxTokens of [2, 10, 4.5])
      await expect(open(files, { maxTokens })).rejects.toThrow(InvalidArgumentError);
  });

  test('prompts are prefixes, chosen by default or by name, and text is lowercased if the model says so', async () => {
    const prompts = { query: 'Of: ', none: '' };
    const files = {
      'config_sentence_transformers.json': { prompts, default_prompt_name: 'query' },
      'sentence_bert_config.json': { max_seq_length: 64, do_lower_case: true },
    };
    for (const [options, text] of [
      [{}, 'of: a b'],
      [{ promptName: 'none' }, 'a b'],
    ] as const) {
      const { embedder, seen } = await open(files, options);
      await embedder.embedBatch(['A b']);
      expect(seen.runs).toEqual([[idsOf(text)]]);
    }
    await expect(open(files, { promptName: 'passage' })).rejects.toThrow('must be a prompt of the model (query, none)');
    await expect(open(files, { promptName: 'toString' })).rejects.toThrow(InvalidArgumentError);
    await expect(open({ ...files, '1_Pooling/config.json': { include_prompt: false } })).rejects.toThrow(InputError);
  });

  test('equal texts run once, and no run exceeds batchTokens', async () => {
    const { embedder, seen } = await open({}, { batchTokens: 40 });
    const many = Array.from({ length: 60 }, (_, index) => 'words '.repeat((index * 7) % 30));
    await embedder.embedBatch(many);
    expect(seen.runs.flat().length).toBe(new Set(many).size);
    for (const run of seen.runs) {
      expect(run.length === 1 || run.length * Math.max(...run.map(({ length }) => length)) <= 40).toBe(true);
    }
  });

  test('texts of a quantized graph run alone', async () => {
    const { embedder, seen } = await open({ 'onnx/model_quantized.onnx': 'small' }, { dtype: 'q8' });
    await embedder.embedBatch(texts);
    expect(seen.runs.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    expect(embedder.capabilities.batchTolerance).toBe(0);
  });
});

test('runs contain every row once, longest first, within the budget, with at most 5 % padding', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 })), fc.integer({ min: 1, max: 200 }), (lengths, budget) => {
      const rows = lengths.map((length) => ({ ids: new Array<number>(length).fill(0) }));
      const runs = tokenBudgetRuns(rows, budget, 0.05);
      expect(new Set(runs.flat()).size).toBe(rows.length);
      expect(runs.flat().map(({ ids }) => ids.length)).toEqual(lengths.toSorted((a, b) => b - a));
      for (const run of runs) {
        const padded = run.length * run[0]!.ids.length;
        expect(run.length === 1 || padded <= budget).toBe(true);
        expect(run.reduce((real, { ids }) => real + ids.length, 0)).toBeGreaterThanOrEqual(0.95 * padded);
      }
    }),
    { seed: 6 },
  );
  const equal = Array.from({ length: 10 }, () => ({ ids: [0, 0, 0] }));
  expect(tokenBudgetRuns(equal, 12, 0.05).map(({ length }) => length)).toEqual([4, 4, 2]);
});

test('countTokens equals the number of tokens that the graph receives', async () => {
  const { embedder, seen } = await open({}, { maxTokens: 9 });
  await embedder.embedBatch(texts);
  const fed = seen.runs.flat().map(({ length }) => length);
  expect([...embedder.countTokens([...new Set(texts)])].sort()).toEqual(fed.sort());
});

test('an abort between two runs prevents the second', async () => {
  const { embedder, seen } = await open({}, { batchTokens: 1 });
  const controller = new AbortController();
  const reason = new Error('stop');
  seen.duringRun = async () => controller.abort(reason);
  await expect(embedder.embedBatch(texts, { signal: controller.signal })).rejects.toBe(reason);
  expect(seen.runs.length).toBe(1);
  expect(seen.openTensors).toBe(0);
});

test('tensors are freed after every run; the graph is released once and never while it runs', async () => {
  const { embedder, seen } = await open({}, { batchTokens: 1 });
  await embedder.embedBatch(texts);
  expect(seen.openTensors).toBe(0);
  let finish = () => {};
  seen.duringRun = () => new Promise((resolve) => (finish = resolve));
  const pending = embedder.embedBatch(texts);
  const disposed = Promise.all([embedder[Symbol.asyncDispose](), embedder[Symbol.asyncDispose]()]);
  finish();
  await expect(pending).rejects.toThrow(RarefyError);
  await disposed;
  await embedder[Symbol.asyncDispose]();
  expect(seen).toMatchObject({ openTensors: 0, released: 1 });
  await expect(embedder.embedBatch(['late'])).rejects.toThrow('was disposed');
});

test('a failed run frees its tensors and the embedder still works', async () => {
  const { embedder, seen } = await open();
  seen.duringRun = () => Promise.reject(new Error('out of memory'));
  await expect(embedder.embedBatch(['a'])).rejects.toThrow('out of memory');
  expect(seen.openTensors).toBe(0);
  seen.duringRun = async () => {};
  expect((await embedder.embedBatch(['a'])).embeddings.rows).toBe(1);
});

test('the fingerprint depends on the content of the files, not on the folder', async () => {
  const { embedder, folder } = await open();
  const copy = `${folder}-copy`;
  cpSync(folder, copy, { recursive: true });
  expect((await onnxEmbedder(copy, { lib: stateRuntime().lib })).fingerprint).toBe(embedder.fingerprint);
});
