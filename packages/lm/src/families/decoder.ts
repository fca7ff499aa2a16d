import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../layers/attention.js';
import type { CacheShape, ForwardContext } from '../layers/forward-context.js';
import type { ModelDescription } from './causal-language-model.js';
import type { ConfigReader } from './config.js';

/** Weights by their Hugging Face names. */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

/** The sizes of a model, including those that only its layers need. */
interface FamilyDescription extends ModelDescription, CacheShape {
  readonly heads: number;
}

/** Everything that differs between model families. {@link decoderHiddenStates} and `languageModel` are the shared rest. */
export interface Family {
  /** Reads config.json. @throws InputError naming a field that is missing or not supported. */
  describe(config: ConfigReader): FamilyDescription;
  /** Name and shape of every weight, in a fixed order: the order decides the random initial weights. */
  parameterShapes(config: ConfigReader): Record<string, readonly number[]>;
  /** Name of the output head's weight [vocabulary, hidden]. */
  headName(config: ConfigReader): string;
  /** Weights that write into the residual stream: they start smaller, by 1 / √(2 · layers). */
  readonly residualWeights: RegExp;
  /** The name of a file's tensor as used here; undefined if it is not a weight (a buffer, or the copy of a tied head). */
  canonicalName(name: string): string | undefined;
  /** Prepares what is constant (tables), once per model. */
  build(config: ConfigReader): Decoder;
}

export interface Decoder {
  /** Embeds the tokens `ids`, int32 [batch, T], and binds the weights for one forward pass. */
  start(parameters: Parameters, ids: tf.Tensor2D, context: ForwardContext): DecoderPass;
  /** Frees the tables. */
  dispose(): void;
}

/** One forward pass. All activations are [batch, T, hidden]. */
interface DecoderPass {
  readonly embedded: tf.Tensor;
  layer(index: number): DecoderLayer;
  finalNorm(x: tf.Tensor): tf.Tensor;
}

/** The parts of one layer. Both norms are inside the parts. */
interface DecoderLayer {
  /** Query [batch, heads, T, headSize], key and value [batch, keyValueHeads, T, headSize], with rotary positions applied. */
  queryKeyValue(x: tf.Tensor): readonly [query: tf.Tensor, key: tf.Tensor, value: tf.Tensor];
  /** Output projection of the attention: [batch, T, heads · headSize] → [batch, T, hidden]. */
  project(attended: tf.Tensor): tf.Tensor;
  feedForward(x: tf.Tensor): tf.Tensor;
}

/** The pre-norm decoder that all families share: [batch, T, hidden] after the final norm. Call inside a tidy. */
export function decoderHiddenStates(
  decoder: Decoder,
  layers: number,
  parameters: Parameters,
  ids: tf.Tensor2D,
  context: ForwardContext,
): tf.Tensor3D {
  const pass = decoder.start(parameters, ids, context);
  let x = pass.embedded;
  for (let index = 0; index < layers; index++) {
    const input = x;
    x = tf.tidy(() => {
      const layer = pass.layer(index);
      const [query, key, value] = layer.queryKeyValue(input);
      const [keys, values] = context.remember(index, key, value);
      const attended = tf.add(input, layer.project(attention(query, keys, values, context.bias)));
      return tf.add(attended, layer.feedForward(attended));
    });
  }
  return pass.finalNorm(x) as tf.Tensor3D;
}
