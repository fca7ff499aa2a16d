import {
  type CallOptions,
  type CounterRandom,
  callOptionNames,
  checkInteger,
  checkItemArray,
  checkOptions,
  counterRandom,
  described,
  InvalidArgumentError,
  shown,
  timeSlices,
} from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel } from '../families/causal-language-model.js';
import { checkModel } from '../families/check-model.js';
import { checkOutputHead } from '../families/check-trainable.js';
import { disposeCache, keyValueCache, takeRows } from '../layers/key-value-cache.js';
import { padLeft } from '../layers/padding.js';
import { checkSampling, type SamplingOptions, sampleToken, samplingOptionNames } from './sample-token.js';

export interface GenerateOptions extends SamplingOptions, CallOptions {
  /** Most new tokens per completion, including the stop token. */
  readonly maxNewTokens: number;
  /** The token that ends a completion, or several, each of which does. */
  readonly stopId: number | readonly number[];
  /** Completions per prompt; default 1. */
  readonly samplesPerPrompt?: number;
  readonly seed: number;
  /** Random stream of each completion; default: its index in the result. Makes completions independent of the batch. */
  readonly streams?: ArrayLike<number>;
  /** Whether to keep keys and values of earlier tokens, if the model can; default true. Without, each token takes a whole pass. */
  readonly cache?: boolean;
}

const optionNames = [
  ...samplingOptionNames,
  ...callOptionNames,
  'maxNewTokens',
  'stopId',
  'samplesPerPrompt',
  'seed',
  'streams',
  'cache',
] as const satisfies readonly (keyof GenerateOptions)[];

export interface GeneratedCompletion {
  /** The new tokens, including the stop token if it was generated. */
  readonly ids: Int32Array;
  /** Whether a stop token was generated within `maxNewTokens`. */
  readonly terminated: boolean;
}

/**
 * Generates `samplesPerPrompt` completions of each prompt. Completions of the same prompt are adjacent. Each prompt is read
 * once, padded on the left. Token t of completion i is sampled with uniform t of stream i of the seed, so the text does not
 * depend on the batch.
 * @throws InvalidArgumentError if an option is unknown or out of range, a prompt is empty or not a list of token ids of the model,
 *   a prompt and its completion do not fit the model's positions, or the logits of a model of your own are not those of its head.
 */
export async function generate(
  model: CausalLanguageModel,
  prompts: readonly Int32Array[],
  options: GenerateOptions,
): Promise<GeneratedCompletion[]> {
  checkOptions(options, optionNames, 'generate');
  checkModel(model, 'generate');
  checkSampling(options);
  const { maxNewTokens, stopId, samplesPerPrompt = 1, seed, cache: useCache = true, signal } = options;
  checkItemArray(prompts, 'generate');
  const stops = stopTokens(stopId);
  const count = prompts.length * samplesPerPrompt;
  const random = counterRandom(seed);
  const streams: CounterRandom[] = Array.from({ length: count }, (_, row) =>
    random.fork(options.streams?.[row] ?? row),
  );
  if (count === 0) return [];
  const longest = Math.max(...prompts.map((prompt) => prompt.length));
  checkLengths(model, prompts, longest, maxNewTokens);
  checkOutputHead(model);

  const size = model.description.vocabularySize;
  const tokens = streams.map(() => [] as number[]);
  const steps =
    useCache && model.cacheShape
      ? cachedSteps(model, prompts, samplesPerPrompt, longest + maxNewTokens)
      : wholeSteps(model, prompts, samplesPerPrompt);
  try {
    let open = streams.map((_, row) => row);
    const slices = timeSlices(undefined);
    for (let index = 0; index < maxNewTokens && open.length > 0; index++) {
      if (slices.due()) await slices.pause(); // lets an abort arrive: tfjs-node waits for nothing
      signal?.throwIfAborted();
      const { logits, rowOf } = steps.next(open, tokens);
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      for (const row of open) {
        tokens[row]!.push(sampleToken(values, rowOf(row) * size, size, options, streams[row]!.uniform(index)));
      }
      open = open.filter((row) => !stops.has(tokens[row]!.at(-1)!));
    }
  } finally {
    steps.dispose();
  }
  return tokens.map((row) => ({ ids: Int32Array.from(row), terminated: stops.has(row.at(-1)!) }));
}

/** @throws InvalidArgumentError if `stopId` is neither an integer nor a list of integers. */
function stopTokens(stopId: number | readonly number[]): ReadonlySet<number> {
  const ids = typeof stopId === 'number' ? [stopId] : stopId;
  if (Array.isArray(ids) && ids.every(Number.isInteger)) return new Set(ids);
  throw new InvalidArgumentError(
    `stopId must be the id of a token or a list of ids, got ${shown(stopId)}; give the stopIds of chatFormat(tokenizer)`,
  );
}

interface Steps {
  /**
   * Logits after the tokens so far.
   * @param open the completions that are not finished, fewer from step to step
   * @param tokens of all completions
   */
  next(open: readonly number[], tokens: readonly (readonly number[])[]): NextLogits;
  dispose(): void;
}

interface NextLogits {
  /** [rows, vocabulary] */
  readonly logits: tf.Tensor2D;
  /** The row of an open completion. */
  rowOf(completion: number): number;
}

/** Reads each prompt once, and then the last token of each completion. */
function cachedSteps(
  model: CausalLanguageModel,
  prompts: readonly Int32Array[],
  samples: number,
  length: number,
): Steps {
  const cache = keyValueCache(prompts.length, length);
  const promptOf = (completion: number) => Math.floor(completion / samples);
  const logitsOf = (ids: tf.Tensor2D, mask: tf.Tensor2D) => lastColumn(model, model.hiddenStates(ids, mask, { cache }));
  let rows: ReadonlyMap<number, number> | undefined; // the row of each completion in the cache

  return {
    next(open, tokens) {
      if (cache.filled === 0) {
        const logits = tf.tidy(() => {
          const { ids, mask } = padLeft(prompts);
          return logitsOf(ids, mask);
        });
        return { logits, rowOf: promptOf };
      }
      // Finished rows go on with their last token, until half of the rows are finished: taking rows copies the cache.
      if (rows === undefined || 2 * open.length <= rows.size) {
        const kept = open.map((completion) => rows?.get(completion) ?? promptOf(completion));
        if (kept.length !== cache.masks.length || kept.some((row, index) => row !== index)) takeRows(cache, kept);
        rows = new Map(open.map((completion, row) => [completion, row]));
      }
      const last = Int32Array.from(rows.keys(), (completion) => tokens[completion]!.at(-1)!);
      const current = rows;
      const logits = tf.tidy(() => {
        const ids = tf.tensor2d(last, [last.length, 1], 'int32');
        return logitsOf(ids, tf.tensor2d(new Int32Array(last.length).fill(1), [last.length, 1], 'int32'));
      });
      return { logits, rowOf: (completion) => current.get(completion)! };
    },
    dispose: () => disposeCache(cache),
  };
}

/** Reads all tokens of each completion again for each of its tokens. */
function wholeSteps(model: CausalLanguageModel, prompts: readonly Int32Array[], samples: number): Steps {
  return {
    next(open, tokens) {
      const rows = new Map(open.map((completion, row) => [completion, row]));
      const logits = tf.tidy(() => {
        const { ids, mask } = padLeft(
          open.map((completion) =>
            Int32Array.from([...prompts[Math.floor(completion / samples)]!, ...tokens[completion]!]),
          ),
        );
        return lastColumn(model, model.hiddenStates(ids, mask));
      });
      return { logits, rowOf: (completion) => rows.get(completion)! };
    },
    dispose() {},
  };
}

/** Logits of the last column: a real token in every row of a left-padded batch. */
function lastColumn(model: CausalLanguageModel, hidden: tf.Tensor3D): tf.Tensor2D {
  const [batch, length, width] = hidden.shape;
  const last = length === 1 ? hidden : tf.slice(hidden, [0, length - 1, 0], [batch, 1, width]);
  return model.logits(tf.reshape(last, [batch, width]));
}

function checkLengths(
  model: CausalLanguageModel,
  prompts: readonly Int32Array[],
  longest: number,
  maxNewTokens: number,
): void {
  checkInteger('maxNewTokens', maxNewTokens, 1);
  for (const [index, prompt] of prompts.entries()) {
    if (Array.isArray(prompt) || ArrayBuffer.isView(prompt)) continue;
    const hint = typeof prompt === 'string' ? '; give tokenizer.encode(text)' : '';
    throw new InvalidArgumentError(
      `prompt ${index} must be an Int32Array of token ids, got ${described(prompt)}${hint}`,
    );
  }
  const empty = prompts.findIndex((prompt) => prompt.length === 0);
  if (empty >= 0) throw new InvalidArgumentError(`prompt ${empty} has no tokens; give it at least one`);
  const { maxPositions, vocabularySize } = model.description;
  for (const [index, prompt] of prompts.entries()) {
    const wrong = prompt.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize));
    if (wrong < 0) continue;
    throw new InvalidArgumentError(
      `token ${wrong} of prompt ${index} is ${shown(prompt[wrong])}, and the ids of the model are 0 to ${vocabularySize - 1}; use the tokenizer of the model`,
    );
  }
  if (longest + maxNewTokens > maxPositions) {
    throw new InvalidArgumentError(
      `a prompt of ${longest} tokens and ${maxNewTokens} new tokens do not fit into the ${maxPositions} positions of the model; lower maxNewTokens, or cut the prompt`,
    );
  }
}
