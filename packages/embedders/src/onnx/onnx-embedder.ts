import { createHash } from 'node:crypto';
import {
  checkInteger,
  checkItems,
  checkOptions,
  type ImportPeerOptions,
  InputError,
  InvalidArgumentError,
  importPeers,
  RarefyError,
  shown,
  type TokenCountingEmbedder,
} from '@rarefy/core';
import { sha256File } from '@rarefy/io';
import { tokenBudgetRuns } from '../token-budget.js';
import { textEncoder } from './encode-text.js';
import { loadSentenceGraph, type OnnxRuntime, type Pooling, poolings, poolRow } from './sentence-graph.js';
import {
  dtypeSuffixes,
  type OnnxDtype,
  readSentenceModelFolder,
  type SentenceModelFolder,
  sentenceModelFolder,
} from './sentence-model-folder.js';

export type { OnnxSession, OnnxTensor } from './sentence-graph.js';
export type { OnnxDtype, OnnxRuntime, Pooling };

/** An embedder that also reports its pooling. */
export interface OnnxEmbedder extends TokenCountingEmbedder<string> {
  readonly pooling: Pooling;
}

type Tokenizers = Pick<typeof import('@huggingface/tokenizers'), 'Tokenizer'>;

export interface OnnxEmbedderOptions {
  /**
   * Precision by its transformers.js name: selects `model.onnx`, `model_fp16.onnx`, `model_quantized.onnx` (q8), … Default fp32.
   */
  readonly dtype?: OnnxDtype;
  /** How the states of a text's tokens become its row. Default: as in the model's files, which is how it was trained. */
  readonly pooling?: Pooling;
  /** Name of a prompt in `config_sentence_transformers.json`, a prefix for every text. Default: the model's default prompt. */
  readonly promptName?: string;
  /** Most tokens of a text, including special tokens; longer texts are cut. Default and maximum: the model's own limit. */
  readonly maxTokens?: number;
  /** Tokens per run of the graph, including padding. Default 1,024: larger runs are slower on a CPU. A longer text runs alone. */
  readonly batchTokens?: number;
  /** The module `onnxruntime-node`, or a function that returns it. Default: imported on first use. */
  readonly lib?: OnnxRuntime | (() => OnnxRuntime | Promise<OnnxRuntime>);
  /** The module `@huggingface/tokenizers`, or a function that returns it. Default: imported on first use. */
  readonly tokenizers?: Tokenizers | (() => Tokenizers | Promise<Tokenizers>);
}

const optionNames = [
  'dtype',
  'pooling',
  'promptName',
  'maxTokens',
  'batchTokens',
  'lib',
  'tokenizers',
] satisfies (keyof OnnxEmbedderOptions)[];

/** Texts per batch, enough to group those of similar length. */
const maxBatch = 256;
/** Largest share of padding among the tokens of a run. */
const maxPadding = 0.05;
/** For rows of length 1. Measured with all-MiniLM-L6-v2 on real prompts: 0 for fp32, 1e-4 for fp16. */
const batchTolerances = { fp32: 2e-6, fp16: 1e-3 };

/**
 * Embeds with a sentence-transformers model in ONNX, on the CPU. Pooling (mean, cls, lasttoken, max), normalization, maximum length
 * and prompts come from the model's files, so rows equal those of `SentenceTransformer(folder).encode`.
 *
 * Equal texts of a batch are embedded once. The others run in order of length with at most 5 % padding, which is masked. Cut texts
 * are reported. Quantized graphs scale their numbers by everything in a run, so with those dtypes every text runs alone.
 * Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019.
 * @param name a folder with `modules.json`, `tokenizer.json` and `onnx/model.onnx` or `model.onnx`; or the repository of a model
 * that `rarefy models pull` downloaded, such as `sentence-transformers/all-MiniLM-L6-v2` or `all-MiniLM-L6-v2` for short. A folder
 * of that name comes first, then the model in the folder RAREFY_MODELS, then the one in the model cache
 * @throws MissingDependencyError if a library is missing; InputError if a file is missing or the model is not supported;
 * CorruptFileError if a file is damaged; InvalidArgumentError if the name is missing, or an option is unknown or out of range.
 * `embedBatch` and `countTokens` throw InvalidArgumentError for an item that is not a text.
 */
export async function onnxEmbedder(name: string, options: OnnxEmbedderOptions = {}): Promise<OnnxEmbedder> {
  checkOptions(options, optionNames, 'onnxEmbedder');
  const { dtype = 'fp32', batchTokens = 1024 } = options;
  if (!Object.hasOwn(dtypeSuffixes, dtype)) {
    throw new InvalidArgumentError(
      `dtype must be one of ${Object.keys(dtypeSuffixes).join(', ')}, got ${shown(dtype)}`,
    );
  }
  checkInteger('batchTokens', batchTokens, 1);
  const model = await readSentenceModelFolder(await sentenceModelFolder(name), dtype);
  const { normalize, lowercase, truncationSide } = model;
  const { pooling = model.pooling } = options;
  if (!poolings.includes(pooling)) {
    throw new InvalidArgumentError(`pooling must be one of ${poolings.join(', ')}, got ${shown(pooling)}`);
  }
  const prompt = choosePrompt(model, options.promptName);
  const { maxTokens = model.maxTokens } = options;
  const [{ Tokenizer }, runtime] = await importPeers([tokenizersPeer(options.tokenizers), runtimePeer(options.lib)]);
  const tokenizer = new Tokenizer(model.tokenizer, model.tokenizerConfig);
  const { specialTokens, encode } = textEncoder(tokenizer, { maxTokens, truncationSide });
  if (maxTokens !== model.maxTokens || maxTokens <= specialTokens) {
    checkInteger('maxTokens', maxTokens, specialTokens + 1, Math.min(model.maxTokens, Number.MAX_SAFE_INTEGER));
  }
  const fileDigests = await Promise.all(model.onnxFiles.map((file) => sha256File(file)));
  const settings = { pooling, normalize, lowercase, truncationSide, prompt, maxTokens };
  const hash = createHash('sha256').update(
    JSON.stringify([fileDigests, model.tokenizer, model.tokenizerConfig, settings]),
  );
  const graph = await loadSentenceGraph(model.onnxFiles[0]!, runtime);
  const read = (text: string) => encode(lowercase ? (prompt + text).toLowerCase() : prompt + text);
  /** One float64 row per text: hidden states → pooled → divided by its length if the model normalizes. */
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
      checkItems(items);
      const rows = items.length;
      const data = new Float32Array(rows * dimensions); // a text without tokens keeps zeros
      const indicesOf = new Map<string, number[]>(); // text → indices in the batch
      items.forEach((text, index) => {
        const same = indicesOf.get(text);
        if (same) same.push(index);
        else indicesOf.set(text, [index]);
      });
      const texts = Array.from(indicesOf, ([text, indices]) => ({ indices, ...read(text) }));
      const runs = tokenBudgetRuns(
        texts.filter(({ ids }) => ids.length > 0),
        batchTolerance === 0 ? 1 : batchTokens,
        maxPadding,
      );
      for (const run of runs) {
        signal?.throwIfAborted();
        if (released) throw new RarefyError('this embedder was disposed; create a new one');
        const pending = embedRun(run);
        running.add(pending);
        const vectors = await pending.finally(() => running.delete(pending));
        run.forEach(({ indices }, row) => {
          for (const index of indices) data.set(vectors[row]!, index * dimensions);
        });
      }
      signal?.throwIfAborted();
      const truncated = texts.flatMap(({ indices, truncated }) => (truncated ? indices : [])).sort((a, b) => a - b);
      return { embeddings: { data, rows, cols: dimensions }, truncated: Uint32Array.from(truncated) };
    },
    countTokens(items) {
      checkItems(items);
      return Uint32Array.from(items, (text) => read(text).ids.length);
    },
    async [Symbol.asyncDispose]() {
      released ??= Promise.allSettled(running).then(() => graph.release()); // releasing a graph while it runs crashes the process
      await released;
    },
  };
}

function tokenizersPeer(lib: OnnxEmbedderOptions['tokenizers']): ImportPeerOptions<Tokenizers> {
  return {
    name: '@huggingface/tokenizers',
    range: '^0.2.0',
    lib,
    load: () => import('@huggingface/tokenizers'),
    uses: ['Tokenizer'],
  };
}

function runtimePeer(lib: OnnxEmbedderOptions['lib']): ImportPeerOptions<OnnxRuntime> {
  return {
    name: 'onnxruntime-node',
    range: '^1.30.0',
    lib,
    load: () => import('onnxruntime-node'),
    uses: ['InferenceSession', 'Tensor'],
  };
}

/** The prompt with this name, otherwise the model's default prompt, otherwise ''. */
function choosePrompt({ prompts, defaultPromptName, includePrompt }: SentenceModelFolder, promptName?: string): string {
  const name = promptName ?? defaultPromptName;
  if (name === undefined) return '';
  const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (typeof prompt !== 'string') {
    const known = Object.keys(prompts).join(', ') || 'none';
    throw new InvalidArgumentError(`promptName must be a prompt of the model (${known}), got ${shown(name)}`);
  }
  if (prompt !== '' && !includePrompt) {
    throw new InputError(
      'the model excludes the tokens of its prompts from pooling, which is not supported; choose another model',
    );
  }
  return prompt;
}

/** v / |v|; a row of zeros is unchanged. */
function toUnit(row: Float64Array): Float64Array {
  const length = Math.max(norm(row), 1e-12);
  return row.map((value) => value / length);
}

function norm(row: Float64Array): number {
  let squares = 0;
  for (const value of row) squares += value * value;
  return Math.sqrt(squares);
}
