import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type OnnxEmbedderOptions, type OnnxRuntime, type OnnxTensor, onnxEmbedder } from '@rarefy/embedders/onnx';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { afterAll } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'rarefy-sentence-models-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Tokenizes any text; tokenizer.json of the folder adds the special tokens. */
export const smallTokenizer = trainBytePairTokenizer(['many words of the prompts and the words of the answers'], {
  vocabularySize: 280,
  specialTokens: ['[CLS]', '[SEP]'],
});
export const [cls, sep] = ['[CLS]', '[SEP]'].map((name) => smallTokenizer.specialId(name)!) as [number, number];

/** Files of a sentence-transformers folder by name. A string is written unchanged, an object as JSON; undefined means no file. */
export type ModelFiles = Readonly<Record<string, object | string | undefined>>;

const usual: ModelFiles = {
  'modules.json': [
    { idx: 0, path: '', type: 'sentence_transformers.models.Transformer' },
    { idx: 1, path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    { idx: 2, path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
  ],
  '1_Pooling/config.json': { pooling_mode_cls_token: false, pooling_mode_mean_tokens: true },
  'sentence_bert_config.json': { max_seq_length: 64, do_lower_case: false },
  'tokenizer.json': {
    ...(smallTokenizer.json as object),
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [cls], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [sep], tokens: ['[SEP]'] },
      },
    },
  },
  'onnx/model.onnx': 'stateRuntime provides the graph',
};

/** Writes a small sentence model into a new folder, which is removed after the tests. */
export function writeSentenceModel(changes: ModelFiles = {}): string {
  const folder = mkdtempSync(join(root, 'model-'));
  for (const [name, content] of Object.entries({ ...usual, ...changes })) {
    if (content === undefined) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

export const width = 6;

/** State of one token, a function of its id and its index in the text. */
export const tokenState = (id: number, index: number) =>
  Array.from({ length: width }, (_, i) => Math.fround(Math.sin(id * (i + 1) + index) + Math.cos(index * i + id)));

/**
 * A runtime whose graph returns the {@link tokenState} of every real token, and NaN for padding, so that any use of padding shows.
 * `seen` records its runs and open tensors.
 */
export function stateRuntime(names: { inputs?: string[]; outputs?: string[] } = {}) {
  const { inputs = ['input_ids', 'attention_mask', 'token_type_ids'], outputs = ['last_hidden_state'] } = names;
  const seen = { runs: [] as number[][][], openTensors: 0, released: 0, duringRun: async () => {} };
  class Tensor implements OnnxTensor {
    constructor(
      readonly type: string,
      readonly data: BigInt64Array | Float32Array,
      readonly dims: readonly number[],
    ) {
      seen.openTensors++;
    }
    dispose() {
      seen.openTensors--;
    }
  }
  const create: OnnxRuntime['InferenceSession']['create'] = async () => ({
    inputNames: inputs,
    outputNames: outputs,
    async run(feeds, fetches) {
      const { input_ids, attention_mask } = feeds as Record<string, { data: BigInt64Array; dims: readonly number[] }>;
      const [rows, T] = input_ids!.dims as [number, number];
      const data = new Float32Array(rows * T * width).fill(Number.NaN);
      const run: number[][] = Array.from({ length: rows }, () => []);
      for (let token = 0; token < rows * T; token++) {
        if (attention_mask!.data[token] === 0n) continue;
        const id = Number(input_ids!.data[token]);
        data.set(tokenState(id, token % T), token * width);
        run[Math.floor(token / T)]!.push(id);
      }
      seen.runs.push(run);
      await seen.duringRun();
      if (seen.released > 0) throw new Error('the graph was released while it ran');
      return { [fetches[0]!]: new Tensor('float32', data, [rows, T, width]) };
    },
    async release() {
      seen.released++;
    },
  });
  return { seen, lib: { InferenceSession: { create }, Tensor } satisfies OnnxRuntime };
}

/** The embedder of a small sentence model, the record of its runs from now on, and its folder. */
export async function openSmallModel(changes: ModelFiles = {}, options: OnnxEmbedderOptions = {}) {
  const { lib, seen } = stateRuntime();
  const folder = writeSentenceModel(changes);
  const embedder = await onnxEmbedder(folder, { lib, ...options });
  seen.runs.length = 0;
  return { embedder, seen, folder };
}
