import { InvalidArgumentError } from '@rarefy/core';
import type { ForwardOptions } from '../layers/forward-options.js';
import type { CausalLanguageModel } from './causal-language-model.js';
import { checkModel } from './check-model.js';

/** The same model, with other members in place of its own. Getters stay getters: `head` may throw. */
export function overridden(model: CausalLanguageModel, members: Partial<CausalLanguageModel>): CausalLanguageModel {
  const descriptors = { ...Object.getOwnPropertyDescriptors(model), ...Object.getOwnPropertyDescriptors(members) };
  return Object.defineProperties({}, descriptors) as CausalLanguageModel;
}

/** The same model, with these options in every forward pass. It shares and owns the weights of `model`. */
export function withForwardDefaults(model: CausalLanguageModel, defaults: ForwardOptions): CausalLanguageModel {
  return overridden(model, {
    forward: (ids, mask, options) => model.forward(ids, mask, { ...defaults, ...options }),
    hiddenStates: (ids, mask, options) => model.hiddenStates(ids, mask, { ...defaults, ...options }),
  });
}

/**
 * The same model, in whose backward pass the activations of each layer are computed again, in place of being kept from the forward
 * pass (Chen et al. 2016; `gradient_checkpointing` of transformers). Training then needs memory for the activations of one layer
 * and the inputs of all, and a second forward pass. Values and gradients stay the same. Passes with a key/value cache are
 * not changed.
 * @param model a model of a built-in family, or one with an adapter. The result shares its weights; dispose one of both
 * @throws InvalidArgumentError if it is a model of your own, whose layers are not known.
 */
export function recomputed(model: CausalLanguageModel): CausalLanguageModel {
  checkBuiltIn(model, 'recomputed');
  return withForwardDefaults(model, { recompute: true });
}

/** @throws InvalidArgumentError if it is not a model of a built-in family. */
export function checkBuiltIn(model: CausalLanguageModel, where: string): void {
  checkModel(model, where);
  if (model.description.family !== 'custom') return;
  throw new InvalidArgumentError(
    `${where} needs a model of a built-in family, got a model of your own, whose layers are not known; change its \`forward\` instead`,
  );
}
