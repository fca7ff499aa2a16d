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
} from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel } from '../families/causal-language-model.js';
import { checkModel } from '../families/check-model.js';
import { checkOutputHead } from '../families/check-trainable.js';
import { type CacheShape, disposeCache, type KeyValueCache, keyValueCache } from '../layers/forward-context.js';
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
  const [filler = 0] = stops;
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
  const open = new Uint8Array(count).fill(1);
  const step =
    useCache && model.cacheShape
      ? cachedSteps(model, model.cacheShape, prompts, samplesPerPrompt, longest + maxNewTokens)
      : wholeSteps(model, prompts, samplesPerPrompt);
  try {
    for (let index = 0; index < maxNewTokens && open.includes(1); index++) {
      signal?.throwIfAborted();
      const logits = step.logits(tokens);
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      for (let row = 0; row < count; row++) {
        // Finished rows continue with a stop token, so that shapes stay fixed; these tokens are cut off below.
        const id = open[row] ? sampleToken(values, row * size, size, options, streams[row]!.uniform(index)) : filler;
        tokens[row]!.push(id);
        if (stops.has(id)) open[row] = 0;
      }
    }
  } finally {
    step.dispose();
  }
  return tokens.map((row) => {
    const end = row.findIndex((id) => stops.has(id));
    return { ids: Int32Array.from(end < 0 ? row : row.slice(0, end + 1)), terminated: end >= 0 };
  });
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
  /** Logits after the tokens so far: [completions, vocabulary]. */
  logits(tokens: readonly (readonly number[])[]): tf.Tensor2D;
  dispose(): void;
}

function cachedSteps(
  model: CausalLanguageModel,
  shape: CacheShape,
  prompts: readonly Int32Array[],
  samples: number,
  length: number,
): Steps {
  const cache = keyValueCache(shape, prompts.length, length);
  const advance = (ids: tf.Tensor2D, mask: tf.Tensor2D) => {
    const hidden = model.hiddenStates(ids, mask, { cache });
    return lastColumn(model, hidden);
  };
  return {
    logits(tokens) {
      if (cache.filled === 0) {
        const first = tf.tidy(() => {
          const { ids, mask } = padLeft(prompts);
          return repeatRows(advance(ids, mask), samples) as tf.Tensor2D;
        });
        if (samples > 1) repeatCache(cache, samples);
        return first;
      }
      return tf.tidy(() => {
        const ids = tf.tensor2d(
          Int32Array.from(tokens, (row) => row.at(-1)!),
          [tokens.length, 1],
          'int32',
        );
        return advance(ids, tf.onesLike(ids));
      });
    },
    dispose: () => disposeCache(cache),
  };
}

function wholeSteps(model: CausalLanguageModel, prompts: readonly Int32Array[], samples: number): Steps {
  return {
    logits: (tokens) =>
      tf.tidy(() => {
        const { ids, mask } = padLeft(
          tokens.map((row, index) => Int32Array.from([...prompts[Math.floor(index / samples)]!, ...row])),
        );
        return lastColumn(model, model.hiddenStates(ids, mask));
      }),
    dispose() {},
  };
}

/** Logits of the last column: a real token in every row of a left-padded batch. */
function lastColumn(model: CausalLanguageModel, hidden: tf.Tensor3D): tf.Tensor2D {
  const [batch, length, width] = hidden.shape;
  return model.logits(tf.reshape(tf.slice(hidden, [0, length - 1, 0], [batch, 1, width]), [batch, width]));
}

/** Repeats each row `times` times; copies are adjacent. */
function repeatRows(x: tf.Tensor, times: number): tf.Tensor {
  const [rows, ...rest] = x.shape as [number, ...number[]];
  const width = rest.reduce((product, size) => product * size, 1);
  return tf.tidy(() => tf.reshape(tf.tile(tf.reshape(x, [rows, 1, width]), [1, times, 1]), [rows * times, ...rest]));
}

function repeatCache(cache: KeyValueCache, times: number): void {
  const repeat = <Kept extends tf.Tensor>(tensor: Kept): Kept => {
    const repeated = repeatRows(tensor, times) as Kept;
    tensor.dispose();
    return repeated;
  };
  cache.keys.forEach((tensor, layer) => {
    cache.keys[layer] = repeat(tensor);
    cache.values[layer] = repeat(cache.values[layer]!);
  });
  cache.mask = repeat(cache.mask);
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
