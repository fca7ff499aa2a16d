import * as tf from '@tensorflow/tfjs-core';
import { attention, attentionStep } from '../layers/attention.js';
import type { ForwardContext } from '../layers/forward-context.js';
import { add } from '../layers/kernels.js';
import type { CacheShape } from '../layers/key-value-cache.js';
import { recompute } from '../layers/recompute.js';
import type { ModelDescription } from './causal-language-model.js';
import type { ConfigReader } from './config.js';

/** Weights by their Hugging Face names. */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

/** The sizes of a model, including those that only its layers need. */
export interface FamilyDescription extends ModelDescription, CacheShape {
  readonly heads: number;
  /** Name of the output head's weight [vocabulary, hidden]. */
  readonly headName: string;
  /** {@link OutputHead.scale} */
  readonly headScale?: number;
}

/** Everything that differs between model families. {@link decoderHiddenStates} and `languageModel` are the shared rest. */
export interface Family {
  /** Reads every field of config.json that the family honors. @throws InputError naming one that is missing or not supported. */
  describe(config: ConfigReader): FamilyDescription;
  /** Name and shape of every weight, in a fixed order: the order decides the random initial weights. */
  parameterShapes(config: ConfigReader): Record<string, readonly number[]>;
  /** Weights that write into the residual stream: they start smaller, by 1 / √(2 · layers). */
  readonly residualWeights: RegExp;
  /** Initial value of the weights of norms: 1, or 0 where the norm adds 1. */
  readonly initialNorm: 0 | 1;
  /** The name of a file's tensor as used here; undefined if it is a buffer that older versions of transformers saved. */
  canonicalName(name: string): string | undefined;
  /** Prepares what is constant (tables), once per model. */
  build(config: ConfigReader): Decoder;
}

export interface Decoder {
  /** The different windows of its layers, in columns. */
  readonly windows: readonly number[];
  /** Embeds the tokens `ids`, int32 [batch, T] or [batch], and binds the weights for one forward pass. */
  start(parameters: Parameters, ids: tf.Tensor, context: ForwardContext): DecoderPass;
  /** Frees the tables. */
  dispose(): void;
}

/** One forward pass. All activations are [batch, T, hidden], or [batch, hidden] for one token per row. */
interface DecoderPass {
  readonly embedded: tf.Tensor;
  layer(index: number): DecoderLayer;
  finalNorm(x: tf.Tensor): tf.Tensor;
}

/** The parts of one layer. All norms and factors are inside the parts. */
interface DecoderLayer {
  /** Factor of the attention scores. */
  readonly scale: number;
  /** How many columns back the layer attends to, itself included. Default: all. */
  readonly window?: number | undefined;
  /** Query [batch, heads, T, headSize], key and value [batch, keyValueHeads, T, headSize], with rotary positions applied. */
  queryKeyValue(x: tf.Tensor): readonly [query: tf.Tensor, key: tf.Tensor, value: tf.Tensor];
  /** What the attention adds to its input: [..., heads · headSize] → [..., hidden]. */
  project(attended: tf.Tensor): tf.Tensor;
  /** What the feed-forward part adds to its input. */
  feedForward(x: tf.Tensor): tf.Tensor;
}

/**
 * The decoder that all families share: [batch, T, hidden] after the final norm, or [batch, hidden] for ids [batch], one token per
 * row. Call inside a tidy.
 */
export function decoderHiddenStates(
  decoder: Decoder,
  layers: number,
  parameters: Parameters,
  ids: tf.Tensor,
  context: ForwardContext,
): tf.Tensor {
  const pass = decoder.start(parameters, ids, context);
  let x = pass.embedded;
  for (let index = 0; index < layers; index++) x = decoderLayer(pass, index, x, context);
  return pass.finalNorm(x);
}

/** One layer: [..., hidden] → [..., hidden]. */
function decoderLayer(pass: DecoderPass, index: number, x: tf.Tensor, context: ForwardContext): tf.Tensor {
  return tf.tidy(() => {
    const layer = pass.layer(index);
    const [query, key, value] = layer.queryKeyValue(x);
    const [keys, values] = context.remember(index, key, value, layer.window);
    const mix = x.rank === 2 ? attentionStep : attention;
    const mixed = mix(query, keys, values, context.bias(layer.window), layer.scale);
    const attended = add(x, layer.project(mixed));
    return add(attended, layer.feedForward(attended));
  });
}

/**
 * {@link decoderHiddenStates} without a cache, of which only the input of each layer is kept for the backward pass. Call inside a
 * tidy.
 * @param trained the weights among `parameters` that get a gradient; the others are variables
 * @param given ids, mask and what else `contextOf` takes
 * @param contextOf makes the context of a forward pass
 */
export function recomputedHiddenStates(
  decoder: Decoder,
  layers: number,
  parameters: Parameters,
  trained: Parameters,
  given: readonly tf.Tensor2D[],
  contextOf: (given: readonly tf.Tensor2D[]) => ForwardContext,
): tf.Tensor3D {
  const start = (weights: Parameters, tensors: readonly tf.Tensor2D[]) => {
    const context = contextOf(tensors);
    return { context, pass: decoder.start(weights, tensors[0]!, context) };
  };
  const { pass } = start(parameters, given);
  let x = pass.embedded;
  for (let index = 0; index < layers; index++) {
    const names = Object.keys(trained).filter((name) => name.includes(`.${index}.`));
    const run = ([input, ...weights]: readonly tf.Tensor[], tensors: readonly tf.Tensor[]) => {
      const own = Object.fromEntries(names.map((name, at) => [name, weights[at]!]));
      const { context, pass } = start({ ...parameters, ...own }, tensors as readonly tf.Tensor2D[]);
      return decoderLayer(pass, index, input!, context);
    };
    x = recompute(run, [x, ...names.map((name) => trained[name]!)], given);
  }
  return pass.finalNorm(x) as tf.Tensor3D;
}
