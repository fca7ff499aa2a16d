import { counterRandom, digest, InputError, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { headLogits } from '../layers/basic-layers.js';
import { checkMask, forwardContext } from '../layers/forward-context.js';
import { cachedContext } from '../layers/key-value-cache.js';
import { scaledUpdates } from '../layers/low-rank.js';
import type { CausalLanguageModel, ModelFamily } from './causal-language-model.js';
import { type Candidate, unhonoredField, unknownType } from './check-support.js';
import { type ConfigReader, configReader } from './config.js';
import { decoderHiddenStates, type Family, type FamilyDescription, recomputedHiddenStates } from './decoder.js';
import { gpt2 } from './gpt2.js';
import { rotaryFamilies } from './rotary-variants.js';

const families: Readonly<Record<ModelFamily, Family>> = { gpt2, ...rotaryFamilies };

/** The head of a reward model, which a file may hold besides the language model, or in place of its output head. */
const rewardHead = 'score.weight';

/** Values and shape of one weight. */
export interface WeightValues {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Builds a model from a config.json and its weights, on the current tfjs backend.
 * @param config the parsed config.json
 * @param weights by name, as a Hugging Face file holds them. `score.weight`, the head of a reward model, is not used; with it, an
 *   output head may be missing: the model then has hidden states, and no `head` and logits
 * @throws InputError if the family is not supported, a config field or a weight would change the numbers and is not honored, or
 *   the file has another output head than the token embedding and config.json ties them; ShapeError naming a weight that is
 *   missing or has another shape.
 */
export function languageModel(config: unknown, weights: ReadonlyMap<string, WeightValues>): CausalLanguageModel {
  const reader = configReader(config);
  const { family, description } = describedFamily(reader, weights);
  const found = canonicalWeights(family, weights);
  const { layers, headName } = description;
  // Before the shapes of all layers are listed: a damaged config may ask for billions of layers.
  if (layers > found.size) {
    throw new ShapeError(`config.json asks for ${layers} layers, and the file has only ${found.size} weights`);
  }
  const shapes = family.parameterShapes(reader);
  if (!found.has(headName) && weights.has(rewardHead) && headName === 'lm_head.weight') delete shapes[headName];
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
  checkUnusedWeights(found, shapes, headName, reader.modelType);
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

/** The weights of a file by the names of the family, without its buffers. */
function canonicalWeights(
  family: Family,
  weights: ReadonlyMap<string, WeightValues>,
): ReadonlyMap<string, WeightValues> {
  const found = new Map<string, WeightValues>();
  for (const [name, values] of weights) {
    const canonical = family.canonicalName(name);
    if (canonical !== undefined && name !== rewardHead) found.set(canonical, values);
  }
  return found;
}

/** @throws InputError naming a weight that the model does not use: it would be another model. */
function checkUnusedWeights(
  found: ReadonlyMap<string, WeightValues>,
  shapes: Readonly<Record<string, readonly number[]>>,
  headName: string,
  modelType: string,
): void {
  const unused = [...found.keys()].filter((name) => !Object.hasOwn(shapes, name));
  const copy = unused.includes('lm_head.weight') ? found.get('lm_head.weight') : undefined;
  const embedding = found.get(headName)?.data ?? [];
  if (copy && !copy.data.every((value, index) => Object.is(value, embedding[index]))) {
    throw new InputError(
      "config.json ties the output head to the token embedding, but 'lm_head.weight' has other values; set tie_word_embeddings to false to use it",
    );
  }
  const unknown = unused.filter((name) => name !== 'lm_head.weight');
  if (unknown.length === 0) return;
  throw new InputError(
    `the file has weights that a ${modelType} model does not use: ${unknown.slice(0, 5).join(', ')}; its numbers would be wrong without them`,
  );
}

/** The model of a checked config with these weights, which it owns. */
function bindWeights(
  family: Family,
  reader: ConfigReader,
  parameters: Readonly<Record<string, tf.Variable>>,
): CausalLanguageModel {
  const { layers, keyValueHeads, headSize, headName, headScale, ...read } = family.describe(reader);
  const { vocabularySize, hiddenSize, maxPositions, softCap } = read;
  const cap = softCap === undefined ? {} : { softCap };
  const description = { family: read.family, vocabularySize, hiddenSize, maxPositions, ...cap };
  const decoder = family.build(reader);
  const weight = parameters[headName] as unknown as tf.Tensor2D | undefined;
  const head = weight && { weight, ...(headScale === undefined ? {} : { scale: headScale }), ...cap };
  const outputHead = () => {
    if (head) return head;
    throw new InvalidArgumentError(
      'the model was saved as a reward model without an output head, so it has no logits; give it to rewardModel, or load another folder',
    );
  };
  let disposed = false;

  const model: CausalLanguageModel = {
    description,
    cacheShape: { layers, keyValueHeads, headSize },
    settings: reader.fieldsRead(),
    parameters,
    get head() {
      return outputHead();
    },
    withParameters: (others) => bindWeights(family, reader, others),
    hiddenStates: (ids, mask, options = {}) => {
      const { updates, positions, recompute, cache } = options;
      checkMask(ids, mask);
      const hidden = tf.tidy(() => {
        const trained = updates ? scaledUpdates(updates) : parameters;
        const weights = updates ? { ...parameters, ...trained } : parameters;
        if (cache) {
          const context = cachedContext(maxPositions, decoder.windows, cache, mask, positions);
          const [batch, length] = ids.shape;
          const tokens = length === 1 ? tf.reshape(ids, [batch]) : ids;
          const states = decoderHiddenStates(decoder, layers, weights, tokens, context);
          return tf.reshape(states, [batch, length, read.hiddenSize]) as tf.Tensor3D;
        }
        const contextOf = ([, mask, positions]: readonly tf.Tensor2D[]) =>
          forwardContext(maxPositions, decoder.windows, mask!, positions);
        const given = positions ? [ids, mask, positions] : [ids, mask];
        if (recompute) return recomputedHiddenStates(decoder, layers, weights, trained, given, contextOf);
        return decoderHiddenStates(decoder, layers, weights, ids, contextOf(given)) as tf.Tensor3D;
      });
      if (options.cache) options.cache.filled += ids.shape[1];
      return hidden;
    },
    logits: (hiddenStates) => headLogits(hiddenStates, outputHead()),
    forward: (ids, mask, options = {}) => {
      outputHead(); // before any tensor exists
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
 * projections divided by √(2 · layers), norms the identity and biases 0 (Radford et al. 2019). A pure function of its arguments.
 */
export function initialWeights(config: unknown, seed: number): Map<string, WeightValues> {
  const reader = configReader(config);
  const { family, description } = describedFamily(reader);
  const deviation = reader.number('initializer_range', 0.02);
  const random = counterRandom(seed);
  const weights = new Map<string, WeightValues>();
  Object.entries(family.parameterShapes(reader)).forEach(([name, shape], index) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    if (shape.length === 1) data.fill(name.endsWith('.bias') ? 0 : family.initialNorm);
    else {
      const stream = random.fork(index);
      const scale = family.residualWeights.test(name) ? deviation / Math.sqrt(2 * description.layers) : deviation;
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

/**
 * The family of a config.json and what the family reads from it.
 * @param weights to find the family nearest to an unknown type
 */
function describedFamily(
  reader: ConfigReader,
  weights: ReadonlyMap<string, WeightValues> = new Map(),
): { readonly family: Family; readonly description: FamilyDescription } {
  const type = reader.modelType;
  const family = Object.hasOwn(families, type) ? families[type as ModelFamily] : undefined;
  if (family === undefined) {
    if (type === 'custom') {
      throw new InputError('this folder holds a model of your own; build it, then call loadWeights(model, folder)');
    }
    throw unknownType(type, Object.keys(families).sort(), candidates(reader, weights));
  }
  const description = family.describe(reader);
  const unhonored = unhonoredField(reader);
  if (unhonored === undefined) return { family, description };
  const [name, value] = unhonored;
  throw new InputError(
    `config.json: '${name}' is ${JSON.stringify(value).slice(0, 100)}, which a ${type} model does not honor; its numbers would be wrong`,
  );
}

/** How the weights of a file compare with those of each family that can read its config. */
function candidates(reader: ConfigReader, weights: ReadonlyMap<string, WeightValues>): readonly Candidate[] {
  return Object.entries(families).flatMap(([name, family]) => {
    try {
      const found = canonicalWeights(family, weights);
      if (family.describe(reader).layers > found.size) return [];
      const shapes = family.parameterShapes(reader);
      return {
        family: name,
        missing: Object.keys(shapes).filter((weight) => !found.has(weight)),
        unexpected: [...found.keys()].filter((weight) => !Object.hasOwn(shapes, weight)),
      };
    } catch {
      return []; // the config lacks a field of this family
    }
  });
}
