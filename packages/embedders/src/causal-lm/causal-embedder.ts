import { InvalidArgumentError, type TokenCountingEmbedder, timeSlices } from '@rarefy/core';
import { chatFormat, type LoadedModel, padRight, weightsDigest } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { tokenBudgetRuns } from '../token-budget.js';
import { type ChatText, chatRows } from './chat-text.js';
import { meanPool } from './mean-pool.js';

/** Rows projected at a time: some 10 ms at 768 columns. */
const projectedRows = 63;
/** Padding costs less here than one more pass through all layers. */
const maxPadding = 1;

export interface CausalEmbedderOptions {
  /** Longest row of tokens, chat marks included; the beginning of longer prompts is cut. Default and most: the model's positions. */
  readonly maxTokens?: number;
  /** Tokens a pass through the model, padding included, so that memory does not grow with the batch; default 2,048. A longer text goes alone. */
  readonly batchTokens?: number;
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

/**
 * One batch, texts of similar length together: chat text → tokens → hidden states → pooled row → optional projection → divided by
 * length + 1e-8.
 */
export async function causalEmbedder(
  { model, tokenizer }: Pick<LoadedModel, 'model' | 'tokenizer'>,
  { maxTokens = model.description.maxPositions, batchTokens = 2048 }: CausalEmbedderOptions,
  pooling: CausalPooling,
): Promise<TokenCountingEmbedder<ChatText>> {
  const { maxPositions } = model.description;
  if (!(Number.isInteger(maxTokens) && maxTokens >= 1 && maxTokens <= maxPositions)) {
    throw new InvalidArgumentError(
      `maxTokens must be an integer from 1 to the model's ${maxPositions} positions, got ${maxTokens}`,
    );
  }
  if (!(Number.isInteger(batchTokens) && batchTokens >= 1)) {
    throw new InvalidArgumentError(`batchTokens must be an integer ≥ 1, got ${batchTokens}`);
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
      const { rows: tokens, truncated } = chatRows(items, format, maxTokens);
      const data = new Float32Array(items.length * dimensions);
      const slices = timeSlices(signal);
      const texts = tokens.map((ids, position) => ({ ids, position }));
      for (const run of tokenBudgetRuns(texts, batchTokens, maxPadding)) {
        signal?.throwIfAborted();
        const pooled = tf.tidy(() => {
          const { ids, mask } = padRight(run.map(({ ids }) => ids));
          return pool(model.hiddenStates(ids, mask), mask);
        });
        const values = (await pooled.data()) as Float32Array;
        const width = pooled.shape[1];
        pooled.dispose();
        for (let start = 0; start < run.length; start += projectedRows) {
          const part = run.slice(start, start + projectedRows);
          const states = values.subarray(start * width, (start + part.length) * width);
          const rows = project ? project(states, part.length) : states;
          for (const [row, { position }] of part.entries()) {
            writeUnit(rows.subarray(row * dimensions, (row + 1) * dimensions), data, position * dimensions);
          }
          if (slices.due()) await slices.pause();
        }
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
