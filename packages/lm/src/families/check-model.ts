import { described, InvalidArgumentError } from '@rarefy/core';

/**
 * Checks what a function takes as `{ model, tokenizer }`.
 * @param where name of the function, for the message
 * @throws InvalidArgumentError if it is a model alone, a promise, or lacks one of the two.
 */
export function checkLoaded(loaded: unknown, where: string): void {
  const needed = `${where} needs { model, tokenizer }`;
  if (isModel(loaded)) throw new InvalidArgumentError(`${needed}, got a model; give { model, tokenizer }`);
  const { model, tokenizer } = Object(loaded) as Record<string, unknown>;
  if (Object(loaded) !== loaded || 'then' in (loaded as object)) {
    throw new InvalidArgumentError(`${needed}, got ${withHint(loaded)}`);
  }
  if (!isModel(model)) {
    const hint = described(model) === 'an object' ? '; make it with fromForwardModel or fromLayersModel' : '';
    throw new InvalidArgumentError(`${needed}, and its model is ${withHint(model)}${hint}`);
  }
  checkTokenizer(tokenizer, where);
}

/** @throws InvalidArgumentError if `tokenizer` is not a tokenizer. */
export function checkTokenizer(tokenizer: unknown, where: string): void {
  const functions = ['encode', 'decode', 'specialId'];
  const given = Object(tokenizer) as Record<string, unknown>;
  if (functions.every((name) => typeof given[name] === 'function')) return;
  throw new InvalidArgumentError(
    `${where} needs a tokenizer, got ${withHint(tokenizer)}; give the one of the model, from loadLanguageModel, loadTokenizer or tokenizerFromJson`,
  );
}

/** @throws InvalidArgumentError if `model` is not a language model. */
export function checkModel(model: unknown, where: string): void {
  if (isModel(model)) return;
  const isLoaded = isModel((Object(model) as Record<string, unknown>).model);
  const what = isLoaded ? 'an object that holds one; give its `model`' : withHint(model);
  throw new InvalidArgumentError(`${where} needs a language model, got ${what}`);
}

function isModel(value: unknown): boolean {
  const { hiddenStates, logits, description } = Object(value) as Record<string, unknown>;
  return typeof hiddenStates === 'function' && typeof logits === 'function' && Object(description) === description;
}

/** What a value is, for messages; of a promise, also what is missing. */
export function withHint(value: unknown): string {
  const what = described(value);
  return what === 'a promise' ? `${what}; did you forget await?` : what;
}

/** @throws InvalidArgumentError if `reward` is not a reward model, but for example a language model. */
export function checkRewardModel(reward: unknown, where: string): void {
  const { score, parameters, model } = Object(reward) as Record<string, unknown>;
  if (typeof score === 'function' && Object(parameters) === parameters && Object(model) === model) return;
  throw new InvalidArgumentError(
    `${where} needs a reward model, got ${described(reward)}; make it with rewardModel(model)`,
  );
}
