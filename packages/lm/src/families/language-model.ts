import { counterRandom, digest, InputError, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { headLogits } from '../layers/basic-layers.js';
import { forwardContext } from '../layers/forward-context.js';
import type { CausalLanguageModel, ModelFamily } from './causal-language-model.js';
import { type ConfigReader, configReader } from './config.js';
import { decoderHiddenStates, type Family } from './decoder.js';
import { gpt2 } from './gpt2.js';
import { llama, nanochat } from './rotary-family.js';

const families: Readonly<Record<ModelFamily, Family>> = { gpt2, llama, nanochat };

/** Values and shape of one weight. */
export interface WeightValues {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Builds a model from a config.json and its weights, on the current tfjs backend.
 * @param config the parsed config.json
 * @param weights by name, as a Hugging Face file holds them; names that the family does not use are ignored
 * @throws InputError if the family or the config is not supported; ShapeError naming a weight that is missing or has another shape.
 */
export function languageModel(config: unknown, weights: ReadonlyMap<string, WeightValues>): CausalLanguageModel {
  const reader = configReader(config);
  const family = familyOf(reader.modelType);
  const found = new Map<string, WeightValues>();
  for (const [name, values] of weights) {
    const canonical = family.canonicalName(name);
    if (canonical !== undefined) found.set(canonical, values);
  }
  const { layers } = family.describe(reader);
  // Before the shapes of all layers are listed: a damaged config may ask for billions of layers.
  if (layers > found.size) {
    throw new ShapeError(`config.json asks for ${layers} layers, and the file has only ${found.size} weights`);
  }
  const shapes = family.parameterShapes(reader);
  for (const [name, shape] of Object.entries(shapes)) {
    const values = found.get(name);
    if (!values)
      throw new ShapeError(
        `the weight '${name}' (${shape.join(' x ')}) is missing; is this a ${reader.modelType} model?`,
      );
    if (values.shape.join() !== shape.join()) {
      throw new ShapeError(`'${name}' is ${values.shape.join(' x ')} and config.json asks for ${shape.join(' x ')}`);
    }
  }
  return bindWeights(
    family,
    reader,
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => {
        const initial = tf.tensor(found.get(name)!.data, [...shape], 'float32');
        const variable = tf.variable(initial);
        initial.dispose();
        return [name, variable];
      }),
    ),
  );
}

/** The model of a checked config with these weights, which it owns. */
function bindWeights(
  family: Family,
  reader: ConfigReader,
  parameters: Readonly<Record<string, tf.Variable>>,
): CausalLanguageModel {
  const { layers, heads: _, keyValueHeads, headSize, ...description } = family.describe(reader);
  const decoder = family.build(reader);
  const head = {
    weight: parameters[family.headName(reader)] as unknown as tf.Tensor2D,
    ...(description.softCap === undefined ? {} : { softCap: description.softCap }),
  };
  let disposed = false;

  const model: CausalLanguageModel = {
    description,
    cacheShape: { layers, keyValueHeads, headSize },
    settings: reader.fieldsRead(),
    parameters,
    head,
    withParameters: (others) => bindWeights(family, reader, others),
    hiddenStates: (ids, mask, options = {}) => {
      const hidden = tf.tidy(() => {
        const context = forwardContext(description.maxPositions, ids, mask, options);
        return decoderHiddenStates(decoder, layers, parameters, ids, context);
      });
      if (options.cache) options.cache.filled += ids.shape[1];
      return hidden;
    },
    logits: (hiddenStates) => headLogits(hiddenStates, head),
    forward: (ids, mask, options = {}) => {
      const hiddenStates = model.hiddenStates(ids, mask, options);
      const [batch, length, width] = hiddenStates.shape;
      const logits = tf.tidy(() => {
        const rows = model.logits(tf.reshape(hiddenStates, [batch * length, width]));
        return tf.reshape(rows, [batch, length, -1]) as tf.Tensor3D;
      });
      return { logits, hiddenStates };
    },
    dispose() {
      if (disposed) return; // disposing a variable twice would free the data of a snapshot
      disposed = true;
      tf.dispose(parameters);
      decoder.dispose();
    },
  };
  return model;
}

/**
 * Random initial weights for a config.json: normal with standard deviation `initializer_range` (default 0.02), residual
 * projections divided by √(2 · layers), norms 1 and biases 0 (Radford et al. 2019). A pure function of its arguments.
 */
export function initialWeights(config: unknown, seed: number): Map<string, WeightValues> {
  const reader = configReader(config);
  const family = familyOf(reader.modelType);
  const deviation = reader.number('initializer_range', 0.02);
  const { layers } = family.describe(reader);
  const random = counterRandom(seed);
  const weights = new Map<string, WeightValues>();
  Object.entries(family.parameterShapes(reader)).forEach(([name, shape], index) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    if (shape.length === 1) data.fill(name.endsWith('.bias') ? 0 : 1);
    else {
      const stream = random.fork(index);
      const scale = family.residualWeights.test(name) ? deviation / Math.sqrt(2 * layers) : deviation;
      // Box-Muller: one normal number per pair of uniforms. 1 - u keeps the logarithm finite.
      for (let i = 0; i < data.length; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - stream.uniform(2 * i)));
        data[i] = scale * radius * Math.cos(2 * Math.PI * stream.uniform(2 * i + 1));
      }
    }
    weights.set(name, { shape, data });
  });
  return weights;
}

/**
 * Digest of all weights in the order of their names, as 16 hex digits. It changes whenever a weight changes. For a model of your
 * own it also covers its description and the names and shapes of its weights, so that two of them never share one.
 * @throws InvalidArgumentError if the model has neither `parameters` nor a `name`.
 */
export async function weightsDigest(model: CausalLanguageModel): Promise<string> {
  const { description, parameters, frozen } = model;
  const weights = Object.entries({ ...frozen, ...parameters }).sort(([a], [b]) => (a < b ? -1 : 1));
  if (weights.length === 0 && !description.name) {
    throw new InvalidArgumentError(
      'the model has neither parameters nor a name, so nothing tells it from other models; give fromForwardModel its `parameters`, or a `name`',
    );
  }
  let chain = '0000000000000000';
  if (description.family === 'custom') {
    const identity = JSON.stringify([description, weights.map(([name, { shape }]) => [name, shape])]);
    chain = digest(new TextEncoder().encode(identity), chain);
  }
  for (const [, weight] of weights) chain = digest((await weight.data()) as Float32Array, chain);
  return chain;
}

function familyOf(modelType: string): Family {
  const family = Object.hasOwn(families, modelType) ? families[modelType as ModelFamily] : undefined;
  if (family) return family;
  if (modelType === 'custom') {
    throw new InputError('this folder holds a model of your own; build it, then call loadWeights(model, folder)');
  }
  throw new InputError(
    `model_type '${modelType}' is not supported; use a model of ${Object.keys(families).join(', ')}`,
  );
}
