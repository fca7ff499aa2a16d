import { checkInteger, checkItems, described, type TokenCountingEmbedder, timeSlices } from '@rarefy/core';
import { type LoadedModel, padRight } from '@rarefy/lm';
import { type ChatFormat, chatFormat, checkChatFormat } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { ChatText } from '../chat-text.js';
import { tokenBudgetRuns } from '../token-budget.js';
import { modelDigest, watchWeights } from './model-identity.js';
import { meanPool } from './pooling.js';

/** Rows projected between two time checks. */
const projectedRows = 63;
/** Any share of padding: it costs less than another pass through all layers. */
const maxPadding = 1;

export interface CausalEmbedderOptions {
  /**
   * Most tokens of a text, including chat marks; the beginning of a longer prompt is cut. Default and maximum: the model's context
   * length.
   */
  readonly maxTokens?: number;
  /**
   * Tokens in one pass through the model, including padding; bounds memory. Default 2,048. A longer text gets a pass of its own.
   */
  readonly batchTokens?: number;
  /** How texts are written; default `chatFormat(tokenizer)`: as the model was trained. Its name is part of the fingerprint. */
  readonly format?: ChatFormat;
}

export const causalOptionNames = ['maxTokens', 'batchTokens', 'format'] satisfies (keyof CausalEmbedderOptions)[];

/** What differs between the ways to embed with a causal model. */
interface CausalPooling {
  readonly name: string;
  readonly dimensions: number;
  /** Hidden states [batch, T, hidden] and their mask [batch, T] → [batch, width]; default the mean over real tokens. */
  readonly pool?: (hidden: tf.Tensor3D, mask: tf.Tensor2D) => tf.Tensor2D;
  /** Maps `rows` pooled rows to rows of `dimensions` numbers, each independently; default the identity. */
  readonly project?: (pooled: Float32Array, rows: number) => Float64Array;
  /** Most texts per batch; default 1024. */
  readonly maxBatch?: number;
  /** Throws if the weights changed; default {@link watchWeights} from now on. */
  readonly checkWeights?: () => void;
}

/**
 * An embedder that runs chat text → tokens → hidden states → pooled row → optional projection → division by length + 1e-8.
 * Texts of similar length share a pass through the model. `embedBatch` throws StateMismatchError if the weights of the model
 * changed, and InvalidArgumentError for an item that is not a {@link ChatText}.
 * @throws InvalidArgumentError if an option is out of range, or the model has neither parameters nor a name.
 */
export async function causalEmbedder(
  { model, tokenizer }: Pick<LoadedModel, 'model' | 'tokenizer'>,
  {
    maxTokens = model.description.maxPositions,
    batchTokens = 2048,
    format = chatFormat(tokenizer),
  }: CausalEmbedderOptions,
  pooling: CausalPooling,
): Promise<TokenCountingEmbedder<ChatText>> {
  checkInteger('maxTokens', maxTokens, 1, model.description.maxPositions);
  checkInteger('batchTokens', batchTokens, 1);
  checkChatFormat(format, 'the embedder');
  const { dimensions, pool = meanPool, project, maxBatch = 1024, checkWeights = watchWeights(model) } = pooling;
  const identity = await modelDigest(model, tokenizer);
  checkWeights();
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `causal-lm:${pooling.name}:${format.name}:${maxTokens}:${identity}`,
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
      checkWeights();
      if (items.length === 0) return { embeddings: { data: new Float32Array(0), rows: 0, cols: dimensions } };
      const texts = chatTokens(items, format, maxTokens).map((tokens, index) => ({ ...tokens, index }));
      const truncated = texts.flatMap(({ truncated, index }) => (truncated ? [index] : []));
      const data = new Float32Array(items.length * dimensions);
      const slices = timeSlices(signal);
      for (const run of tokenBudgetRuns(texts, batchTokens, maxPadding)) {
        signal?.throwIfAborted();
        checkWeights();
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
          for (const [row, { index }] of part.entries()) {
            writeUnit(rows.subarray(row * dimensions, (row + 1) * dimensions), data, index * dimensions);
          }
          if (slices.due()) await slices.pause();
        }
      }
      return { embeddings: { data, rows: items.length, cols: dimensions }, truncated: Uint32Array.from(truncated) };
    },
    countTokens: (items) => Uint32Array.from(chatTokens(items, format, maxTokens), ({ ids }) => ids.length),
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * Tokens of each text in the model's chat format, at most `maxTokens`, and whether the text was cut.
 * @throws InvalidArgumentError if an item is not a chat text.
 */
function chatTokens(items: readonly ChatText[], format: ChatFormat, maxTokens: number) {
  checkItems(items, notChatText, 'a text or { prompt, assistant? } of texts');
  return items.map((item) => {
    const { prompt, assistant } = typeof item === 'string' ? { prompt: item } : item;
    return assistant === undefined
      ? format.prompt(prompt, maxTokens)
      : format.conversation(prompt, assistant, maxTokens);
  });
}

/** What is wrong with an item; undefined if it is a chat text. A field whose value is undefined counts as absent. */
function notChatText(item: unknown): string | undefined {
  if (typeof item === 'string') return undefined;
  if (typeof item !== 'object' || described(item) !== 'an object') return `is ${described(item)}`;
  const { prompt, assistant, ...others } = item as Record<string, unknown>;
  const other = Object.keys(others).find((name) => others[name] !== undefined);
  if (other !== undefined) return `has the field "${other}"`;
  if (prompt === undefined) return 'has no prompt';
  if (typeof prompt !== 'string' && !Array.isArray(prompt)) return `has ${described(prompt)} as prompt`;
  return assistant === undefined || typeof assistant === 'string'
    ? undefined
    : `has ${described(assistant)} as assistant`;
}

/** Writes v / (|v| + 1e-8), computed in float64. */
function writeUnit(values: ArrayLike<number>, out: Float32Array, offset: number): void {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  const length = Math.sqrt(squares) + 1e-8;
  for (let i = 0; i < values.length; i++) out[offset + i] = values[i]! / length;
}
