import { InvalidArgumentError, type TokenCountingEmbedder, timeSlices } from '@rarefy/core';
import { chatFormat, type LoadedModel, padRight, weightsDigest } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { type ChatText, chatRows } from './chat-text.js';
import { meanPool } from './mean-pool.js';

/** Rows projected at a time: some 10 ms at 768 columns. */
const projectedRows = 63;

export interface CausalEmbedderOptions {
  /** Longest row of tokens, chat marks included; the beginning of longer prompts is cut. Default and most: the model's positions. */
  readonly maxTokens?: number;
}

/** What sets one way of embedding with a causal model apart. */
export interface CausalPooling {
  readonly name: string;
  readonly dimensions: number;
  /** [batch, T, hidden] and its mask → [batch, n]; default the mean over real tokens. */
  readonly pool?: (hidden: tf.Tensor3D, mask: tf.Tensor2D) => tf.Tensor2D;
  /** Maps pooled rows to rows of `dimensions` numbers, each by itself; default none. */
  readonly project?: (pooled: Float32Array, rows: number) => Float64Array;
  /** Most texts a batch; default 1024. */
  readonly maxBatch?: number;
}

/** One batch: chat text → tokens → hidden states → pooled row → optional projection → divided by length + 1e-8. */
export async function causalEmbedder(
  { model, tokenizer }: Pick<LoadedModel, 'model' | 'tokenizer'>,
  { maxTokens = model.description.maxPositions }: CausalEmbedderOptions,
  pooling: CausalPooling,
): Promise<TokenCountingEmbedder<ChatText>> {
  const { maxPositions } = model.description;
  if (!(Number.isInteger(maxTokens) && maxTokens >= 1 && maxTokens <= maxPositions)) {
    throw new InvalidArgumentError(
      `maxTokens must be an integer from 1 to the model's ${maxPositions} positions, got ${maxTokens}`,
    );
  }
  const format = chatFormat(tokenizer);
  const { dimensions, pool = meanPool, project, maxBatch = 1024 } = pooling;
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `causal-lm:${pooling.name}:${format.name}:${maxTokens}:${await weightsDigest(model)}`,
    capabilities: {
      dimensions,
      maxBatch,
      maxConcurrency: 1,
      normalized: true,
      deterministic: true,
      batchTolerance: 1e-5,
    },
    async embedBatch(items, { signal } = {}) {
      signal?.throwIfAborted();
      if (items.length === 0) return { embeddings: { data: new Float32Array(0), rows: 0, cols: dimensions } };
      const { rows, truncated } = chatRows(items, format, maxTokens);
      const pooled = tf.tidy(() => {
        const { ids, mask } = padRight(rows);
        return pool(model.hiddenStates(ids, mask), mask);
      });
      const values = (await pooled.data()) as Float32Array;
      const width = pooled.shape[1];
      pooled.dispose();
      const data = new Float32Array(items.length * dimensions);
      const slices = timeSlices(signal);
      for (let start = 0; start < items.length; start += projectedRows) {
        const count = Math.min(projectedRows, items.length - start);
        const states = values.subarray(start * width, (start + count) * width);
        const rows = project ? project(states, count) : states;
        for (let row = 0; row < count; row++) {
          writeUnit(rows.subarray(row * dimensions, (row + 1) * dimensions), data, (start + row) * dimensions);
        }
        if (slices.due()) await slices.pause();
      }
      return { embeddings: { data, rows: items.length, cols: dimensions }, truncated };
    },
    countTokens: (items) => Uint32Array.from(chatRows(items, format, maxTokens).rows, ({ length }) => length),
    async [Symbol.asyncDispose]() {},
  };
}

/** v / (|v| + 1e-8), computed in float64. */
function writeUnit(values: ArrayLike<number>, out: Float32Array, offset: number): void {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  const length = Math.sqrt(squares) + 1e-8;
  for (let i = 0; i < values.length; i++) out[offset + i] = values[i]! / length;
}
