import { createHash } from 'node:crypto';
import { InputError, InvalidArgumentError, importPeer, RarefyError, type TokenCountingEmbedder } from '@rarefy/core';
import { sha256File } from '@rarefy/io';
import { textEncoder } from './onnx/encode-text.js';
import { type Pooling, poolings, poolRow } from './onnx/pool-rows.js';
import type { OnnxRuntime } from './onnx/runtime.js';
import { loadSentenceGraph } from './onnx/sentence-graph.js';
import {
  dtypeSuffixes,
  type OnnxDtype,
  readSentenceModelFolder,
  type SentenceModelFolder,
} from './onnx/sentence-model-folder.js';
import { tokenBudgetRuns } from './token-budget.js';

export type { Pooling } from './onnx/pool-rows.js';
export type { OnnxRuntime, OnnxSession, OnnxTensor } from './onnx/runtime.js';
export type { OnnxDtype } from './onnx/sentence-model-folder.js';

/** An embedder that also tells how it pools. */
export interface OnnxEmbedder extends TokenCountingEmbedder<string> {
  readonly pooling: Pooling;
}

type Tokenizers = Pick<typeof import('@huggingface/tokenizers'), 'Tokenizer'>;

export interface OnnxEmbedderOptions {
  /** Precision, by transformers.js' name of it: picks `model.onnx`, `model_fp16.onnx`, `model_quantized.onnx` (q8), … Default fp32. */
  readonly dtype?: OnnxDtype;
  /** How the states of a text's tokens become its row; default as the model's own files say, which is how it was trained. */
  readonly pooling?: Pooling;
  /** Name of a prompt in the model's `config_sentence_transformers.json`, put before every text; default the model's own default. */
  readonly promptName?: string;
  /** Most tokens of a text, special ones included; longer texts are cut. Default and most: what the model says. */
  readonly maxTokens?: number;
  /** Tokens a run of the graph, padding included; default 1,024: larger runs are slower on a CPU. A longer text runs alone. */
  readonly batchTokens?: number;
  /** The module `onnxruntime-node`, or a function that gives it. */
  readonly lib?: OnnxRuntime | (() => OnnxRuntime | Promise<OnnxRuntime>);
  /** The module `@huggingface/tokenizers`, or a function that gives it. */
  readonly tokenizers?: Tokenizers | (() => Tokenizers | Promise<Tokenizers>);
}

/** Texts a call; those of similar length are then run together. */
const maxBatch = 256;
/** Largest share of a run's tokens that may be padding. */
const maxPadding = 0.05;
/** Of rows of length 1. Measured with MiniLM on real prompts: 0 for fp32, 1e-4 for fp16. Quantised texts run alone. */
const batchTolerances = { fp32: 2e-6, fp16: 1e-3 };

/**
 * A sentence-transformers model in ONNX, on the CPU: pooling (mean, cls, lasttoken, max), normalisation, longest text and prompts
 * are those of its own files, so rows equal those of `SentenceTransformer(folder).encode`.
 *
 * Equal texts of a batch are embedded once; the others run in order of length, at most 5 % of it padding, which is masked. Texts
 * that are cut are reported. Quantised graphs scale their numbers by all that runs together, so with those dtypes every text runs
 * alone.
 * Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019.
 * @param folder with `modules.json`, `tokenizer.json` and `onnx/model.onnx` or `model.onnx`
 * @throws MissingDependencyError for an absent library; InputError for a folder without the files or a model of another make;
 * CorruptFileError for a damaged file; InvalidArgumentError for options out of range.
 */
export async function onnxEmbedder(folder: string, options: OnnxEmbedderOptions = {}): Promise<OnnxEmbedder> {
  const { dtype = 'fp32', batchTokens = 1024 } = options;
  if (!Object.hasOwn(dtypeSuffixes, dtype)) {
    throw new InvalidArgumentError(`dtype must be one of ${Object.keys(dtypeSuffixes).join(', ')}, got ${dtype}`);
  }
  if (!(Number.isInteger(batchTokens) && batchTokens >= 1)) {
    throw new InvalidArgumentError(`batchTokens must be an integer ≥ 1, got ${batchTokens}`);
  }
  const model = await readSentenceModelFolder(folder, dtype);
  const { normalize, lowercase, truncationSide } = model;
  const { pooling = model.pooling } = options;
  if (!poolings.includes(pooling)) {
    throw new InvalidArgumentError(`pooling must be one of ${poolings.join(', ')}, got ${pooling}`);
  }
  const prompt = choosePrompt(model, options.promptName);
  const { maxTokens = model.maxTokens } = options;
  const { Tokenizer } = await importPeer<Tokenizers>({
    name: '@huggingface/tokenizers',
    range: '^0.2.0',
    lib: options.tokenizers,
    load: () => import('@huggingface/tokenizers'),
  });
  const tokenizer = new Tokenizer(model.tokenizer, model.tokenizerConfig);
  const { specialTokens, encode } = textEncoder(tokenizer, { maxTokens, truncationSide });
  const isCount = Number.isInteger(maxTokens) || maxTokens === model.maxTokens;
  if (!(isCount && maxTokens > specialTokens && maxTokens <= model.maxTokens)) {
    throw new InvalidArgumentError(
      `maxTokens must be an integer from ${specialTokens + 1} to the model's ${model.maxTokens}, got ${maxTokens}`,
    );
  }
  const fileDigests = await Promise.all(model.onnxFiles.map((file) => sha256File(file)));
  const settings = { pooling, normalize, lowercase, truncationSide, prompt, maxTokens };
  const hash = createHash('sha256').update(
    JSON.stringify([fileDigests, model.tokenizer, model.tokenizerConfig, settings]),
  );
  const runtime = await importPeer<OnnxRuntime>({
    name: 'onnxruntime-node',
    range: '^1.30.0',
    lib: options.lib,
    load: () => import('onnxruntime-node'),
  });
  const graph = await loadSentenceGraph(model.onnxFiles[0]!, runtime);
  const read = (text: string) => encode(lowercase ? (prompt + text).toLowerCase() : prompt + text);
  /** One row a text, in float64: hidden states → pooled → divided by its length when the model says so. */
  const embedRun = async (texts: readonly { readonly ids: readonly number[] }[]) => {
    const states = await graph.hiddenStates(texts.map(({ ids }) => ids));
    return texts.map(({ ids }, row) => {
      const pooled = poolRow(states, row, ids.length, pooling);
      return normalize ? toUnit(pooled) : pooled;
    });
  };
  const [sample] = (await embedRun([encode('a')]).catch(async (error) => {
    await graph.release();
    throw error;
  })) as [Float64Array];
  const dimensions = sample.length;
  const batchTolerance = dtype === 'fp32' || dtype === 'fp16' ? batchTolerances[dtype] * Math.max(1, norm(sample)) : 0;
  const running = new Set<Promise<unknown>>();
  let released: Promise<void> | undefined;

  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    pooling,
    fingerprint: `onnx:${dtype}:${pooling}:${hash.digest('hex')}`,
    capabilities: {
      dimensions,
      maxBatch,
      maxConcurrency: 1,
      normalized: normalize,
      deterministic: true,
      batchTolerance,
    },
    async embedBatch(items, { signal } = {}) {
      signal?.throwIfAborted();
      const rows = items.length;
      const data = new Float32Array(rows * dimensions); // a text without a token keeps zeros
      const positions = new Map<string, number[]>();
      items.forEach((text, position) => {
        const same = positions.get(text);
        if (same) same.push(position);
        else positions.set(text, [position]);
      });
      const texts = [...positions].map(([text, at]) => ({
        at,
        ...read(text),
      }));
      const runs = tokenBudgetRuns(
        texts.filter(({ ids }) => ids.length > 0),
        batchTolerance === 0 ? 1 : batchTokens,
        maxPadding,
      );
      for (const run of runs) {
        signal?.throwIfAborted();
        if (released) throw new RarefyError('this sentence model was disposed; make a new one');
        const pending = embedRun(run);
        running.add(pending);
        const vectors = await pending.finally(() => running.delete(pending));
        run.forEach(({ at }, index) => {
          for (const position of at) data.set(vectors[index]!, position * dimensions);
        });
      }
      signal?.throwIfAborted();
      const truncated = texts.flatMap(({ at, truncated }) => (truncated ? at : [])).sort((a, b) => a - b);
      return { embeddings: { data, rows, cols: dimensions }, truncated: Uint32Array.from(truncated) };
    },
    countTokens: (items) => Uint32Array.from(items, (text) => read(text).ids.length),
    async [Symbol.asyncDispose]() {
      released ??= Promise.allSettled(running).then(() => graph.release()); // a graph freed while it runs ends the process
      await released;
    },
  };
}

/** The prompt of that name, of the model's default name, or none. */
function choosePrompt({ prompts, defaultPromptName, includePrompt }: SentenceModelFolder, promptName?: string): string {
  const name = promptName ?? defaultPromptName;
  if (name === undefined) return '';
  const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (typeof prompt !== 'string') {
    const known = Object.keys(prompts).join(', ') || 'none';
    throw new InvalidArgumentError(`promptName must be a prompt of the model (${known}), got ${name}`);
  }
  if (prompt !== '' && !includePrompt) {
    throw new InputError(
      'the model leaves the tokens of its prompts out of the row, which is not read; choose another model',
    );
  }
  return prompt;
}

/** v / |v|; zeros stay zeros. */
function toUnit(row: Float64Array): Float64Array {
  const length = Math.max(norm(row), 1e-12);
  return row.map((value) => value / length);
}

function norm(row: Float64Array): number {
  let squares = 0;
  for (const value of row) squares += value * value;
  return Math.sqrt(squares);
}
