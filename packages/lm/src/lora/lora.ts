import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkSeed,
  counterRandom,
  InvalidArgumentError,
  ShapeError,
  shown,
} from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel, LoraAdapter } from '../families/causal-language-model.js';
import { checkBuiltIn, overridden, withForwardDefaults } from '../families/forward-defaults.js';
import { lowRankNames } from '../layers/low-rank.js';

export interface LoraOptions {
  /** Rank of the updates; default 16, as in TRL. */
  readonly rank?: number;
  /** The updates are multiplied by alpha / rank; default 2 · rank, as in TRL. */
  readonly alpha?: number;
  /**
   * The linear layers to update, by the last parts of their names, as `target_modules` of PEFT: `['q_proj', 'v_proj']`. Default
   * `all-linear`: all of attention and feed-forward parts (Dettmers et al. 2023). The token embedding and the output head are never
   * updated.
   */
  readonly targets?: 'all-linear' | readonly string[];
  /** Seed of the initial values of A. */
  readonly seed: number;
  /** Folder or hub id of `model`: `base_model_name_or_path` in the saved files, where `loadLanguageModel` finds the weights. */
  readonly basePath?: string;
}

const optionNames = ['rank', 'alpha', 'targets', 'seed', 'basePath'] as const satisfies readonly (keyof LoraOptions)[];

/**
 * Low-rank adaptation (Hu et al. 2021): a model that trains small updates of its linear layers, and no other weight. Its
 * `parameters` are the matrices A and B of each layer, under the names of PEFT, and its `frozen` weights are those of `model`,
 * whose numbers stay as they are. AdamW then keeps moments for the updates only.
 *
 * As in PEFT, A starts uniform in ±1/√in and B at zero, so that the result computes what `model` does until its first step. Equal
 * options give the same bytes. `adapter.base` of the result is `model`: with the adapter off, it may serve as the reference of a
 * loss with `beta` > 0. There is no dropout.
 * @param model of a built-in family. The result owns and disposes it
 * @throws InvalidArgumentError if an option is unknown or out of range, a target matches no linear layer, `model` already has an
 *   adapter, or it is a model of your own.
 */
export function lora(model: CausalLanguageModel, options: LoraOptions): CausalLanguageModel {
  checkOptions(options, optionNames, 'lora');
  checkBuiltIn(model, 'lora');
  const { rank = 16, targets: chosen = 'all-linear', seed, basePath } = options;
  const { alpha = 2 * rank } = options;
  checkInteger('rank', rank, 1);
  checkNumber('alpha', alpha, 0);
  checkSeed(seed);
  if (model.adapter) {
    throw new InvalidArgumentError('the model already has an adapter; train that one, or give lora mergeLora(model)');
  }
  const layers = linearLayers(model);
  const targets = chosen === 'all-linear' ? lastParts(layers.map(({ name }) => name)) : checkTargets(chosen, layers);
  const random = counterRandom(seed);
  const parameters: Record<string, tf.Variable> = {};
  for (const [index, { name, into, out }] of targeted(layers, targets).entries()) {
    const stream = random.fork(index);
    const bound = 1 / Math.sqrt(into); // kaiming_uniform_ with a = √5
    const values = Float32Array.from({ length: rank * into }, (_, at) => bound * (2 * stream.uniform(at) - 1));
    const [a, b] = lowRankNames(name);
    parameters[a] = variable(values, [rank, into]);
    parameters[b] = variable(new Float32Array(out * rank), [out, rank]);
  }
  return withAdapter(model, { rank, alpha, targets, ...(basePath !== undefined && { basePath }) }, parameters);
}

/** A variable with these values. */
function variable(values: Float32Array, shape: readonly number[]): tf.Variable {
  const initial = tf.tensor(values, [...shape]);
  const made = tf.variable(initial);
  initial.dispose();
  return made;
}

/** `base` with an adapter of these weights. The result owns both. */
export function withAdapter(
  base: CausalLanguageModel,
  settings: Omit<LoraAdapter, 'base'>,
  parameters: Readonly<Record<string, tf.Variable>>,
): CausalLanguageModel {
  const scaling = settings.alpha / settings.rank;
  let disposed = false;
  return overridden(withForwardDefaults(base, { updates: { weights: parameters, scaling } }), {
    adapter: { ...settings, base },
    settings: JSON.stringify({ base: base.settings, lora: scaling }),
    parameters,
    frozen: base.parameters,
    withParameters: (others, frozen = sharedVariables(base.parameters)) =>
      withAdapter(base.withParameters!(frozen), settings, others),
    dispose() {
      if (disposed) return;
      disposed = true;
      tf.dispose(parameters);
      base.dispose();
    },
  });
}

/**
 * The model with its updates added to its weights: a plain model, equal up to rounding, that is saved and runs like any other. It
 * shares the data of weights without updates, and is independent of `model`.
 * @throws InvalidArgumentError if the model has no adapter.
 */
export function mergeLora(model: CausalLanguageModel): CausalLanguageModel {
  const { adapter, parameters } = model;
  if (!adapter) throw new InvalidArgumentError('mergeLora needs a model with an adapter, such as lora(model, …)');
  const { base, alpha, rank } = adapter;
  const merged = sharedVariables(base.parameters);
  for (const { name, isTransposed } of linearLayers(base)) {
    const [a, b] = lowRankNames(name).map((each) => parameters[each] as unknown as tf.Tensor2D | undefined);
    if (!a || !b) continue;
    tf.tidy(() => {
      const product = isTransposed ? tf.matMul(a, b, true, true) : tf.matMul(b, a);
      const weight = merged[`${name}.weight`]!;
      weight.assign(tf.add(weight, tf.mul(product, alpha / rank)));
    });
  }
  return base.withParameters!(merged);
}

/** New variables that share the data of others: tfjs counts references. */
function sharedVariables(variables: Readonly<Record<string, tf.Variable>>): Record<string, tf.Variable> {
  return Object.fromEntries(Object.entries(variables).map(([name, each]) => [name, tf.variable(each)]));
}

/** A layer x · Wᵀ. */
export interface LinearLayer {
  /** Without `.weight`. */
  readonly name: string;
  readonly into: number;
  readonly out: number;
  /** Whether its weight is stored [in, out], as in GPT-2. */
  readonly isTransposed: boolean;
}

/** The linear layers of attention and feed-forward parts. */
export function linearLayers({ parameters, description }: CausalLanguageModel): readonly LinearLayer[] {
  const isTransposed = description.family === 'gpt2';
  return Object.entries(parameters).flatMap(([name, { shape }]) => {
    if (shape.length !== 2 || !/\.(h|layers)\.\d+\..*\.weight$/.test(name)) return [];
    const [out, into] = (isTransposed ? [...shape].reverse() : shape) as [number, number];
    return { name: name.slice(0, -'.weight'.length), into, out, isTransposed };
  });
}

/** The layers whose name is one of `targets`, or ends with one. */
export function targeted(layers: readonly LinearLayer[], targets: readonly string[]): readonly LinearLayer[] {
  return layers.filter(({ name }) => targets.some((target) => `.${name}`.endsWith(`.${target}`)));
}

function checkTargets(targets: readonly string[], layers: readonly LinearLayer[]): readonly string[] {
  const known = lastParts(layers.map(({ name }) => name));
  if (!Array.isArray(targets) || targets.length === 0) {
    throw new InvalidArgumentError(
      `targets must be 'all-linear', or an array of names such as ${known.join(', ')}, got ${shown(targets)}`,
    );
  }
  const unknown = targets.find((target) => targeted(layers, [target]).length === 0);
  if (unknown === undefined) return targets;
  throw new InvalidArgumentError(
    `no linear layer has the name ${shown(unknown)}; targets of this model are ${known.join(', ')}`,
  );
}

function lastParts(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)))].sort();
}

/**
 * The matrices of a file as variables, A before B, in the order of the layers of `base`.
 * @throws ShapeError naming a matrix that belongs to no layer, is missing or has another shape.
 */
export function checkedUpdates(
  base: CausalLanguageModel,
  rank: number,
  weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): Record<string, tf.Variable> {
  const expected = new Map<string, readonly number[]>();
  for (const { name, into, out } of linearLayers(base)) {
    const [a, b] = lowRankNames(name);
    if (!weights.has(a) && !weights.has(b)) continue;
    expected.set(a, [rank, into]).set(b, [out, rank]);
  }
  const unknown = [...weights.keys()].find((name) => !expected.has(name));
  if (unknown !== undefined)
    throw new ShapeError(`the adapter has '${unknown}', which belongs to no layer of the base`);
  for (const [name, shape] of expected) {
    const found = weights.get(name)?.shape;
    if (found?.join() === shape.join()) continue;
    throw new ShapeError(
      `the adapter has no '${name}' of shape ${shape.join(' x ')}${found ? `, but one of ${found.join(' x ')}` : ''}`,
    );
  }
  return Object.fromEntries([...expected].map(([name, shape]) => [name, variable(weights.get(name)!.data, shape)]));
}
