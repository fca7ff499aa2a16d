import { InvalidArgumentError, RarefyError, ShapeError, TrainingError } from '@rarefy/core';
import type { Tokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel } from './causal-language-model.js';

/** Largest difference between two computations of the same logits, as a share of the largest logit. */
const tolerance = 1e-3;

/**
 * Checks a model of your own with passes over a few tokens, because training would otherwise go wrong in silence: losses use the
 * head on the hidden states, not the logits of `forward`, only the listed parameters are trained, and the state of a token must not
 * depend on later tokens. Trainers call it before the first step. Models of the built-in families pass without a computation.
 * @throws ShapeError if `forward` returns another shape; InvalidArgumentError if its logits are not those of the head, if the model
 *   is not causal, if a parameter has no effect, or if `forward` uses a trainable variable that is neither in `parameters` nor in
 *   `frozen`.
 * @throws For any family: InvalidArgumentError if the model is a snapshot, or the vocabulary of `tokenizer` is larger than that of
 *   the model; RarefyError if the model is disposed.
 */
export function checkTrainable(model: CausalLanguageModel, tokenizer?: Tokenizer): void {
  checkParameters(model.parameters);
  if (model.description.family === 'custom') {
    if (!tf.getGradient('Sum'))
      throw new TrainingError("training needs the gradients of tfjs: import '@tensorflow/tfjs' first");
    checkOutputHead(model);
    checkCausal(model, sampleTokens(model));
    checkListedWeights(model, sampleTokens(model));
  }
  const { vocabularySize } = model.description;
  if (tokenizer && tokenizer.vocabularySize > vocabularySize) {
    throw new InvalidArgumentError(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, and the model only ${vocabularySize}; give the tokenizer of the model, or make its embedding and head as large`,
    );
  }
}

/** @throws InvalidArgumentError if a parameter cannot be trained, as in a snapshot; RarefyError if one is disposed. */
export function checkParameters(parameters: Readonly<Record<string, tf.Variable>>): void {
  for (const [name, variable] of Object.entries(parameters)) {
    if (variable.isDisposed)
      throw new RarefyError(`the parameter '${name}' is disposed; load or build the model again`);
    if (variable.trainable) continue;
    throw new InvalidArgumentError(
      `the parameter '${name}' is not trainable. A snapshot keeps its weights: train the model that it was taken from. In a model of your own, list such weights as \`frozen\``,
    );
  }
}

/** Models whose logits are those of their head. */
const comparedModels = new WeakSet<CausalLanguageModel>();

/**
 * The part of {@link checkTrainable} that every use of the head needs, such as a reference policy, generation or an embedder:
 * compares the logits with the head, once per model.
 */
export function checkOutputHead(model: CausalLanguageModel): void {
  if (model.description.family !== 'custom' || comparedModels.has(model)) return;
  compareWithHead(model, sampleTokens(model));
  comparedModels.add(model);
}

/** Up to four tokens, spread over the vocabulary. */
function sampleTokens({ description: { vocabularySize, maxPositions } }: CausalLanguageModel): Int32Array {
  const length = Math.min(4, maxPositions);
  return Int32Array.from({ length }, (_, index) => Math.floor(((index + 0.5) * vocabularySize) / length));
}

/** Calls `use` with the tokens as one row without padding. */
function withRow<Result>(tokens: Int32Array, use: (ids: tf.Tensor2D, mask: tf.Tensor2D) => Result): Result {
  const ids = tf.tensor2d(tokens, [1, tokens.length], 'int32');
  const mask = tf.onesLike(ids);
  try {
    return use(ids, mask);
  } finally {
    tf.dispose([ids, mask]);
  }
}

function compareWithHead(model: CausalLanguageModel, tokens: Int32Array): void {
  const { vocabularySize, hiddenSize } = model.description;
  const [own, head] = withRow(tokens, (ids, mask) => {
    const results = tf.tidy(() => {
      const { logits, hiddenStates } = model.forward(ids, mask);
      checkShape('logits', logits, [1, tokens.length, vocabularySize]);
      checkShape('hiddenStates', hiddenStates, [1, tokens.length, hiddenSize]);
      return [logits, model.logits(tf.reshape(hiddenStates, [tokens.length, hiddenSize]))];
    });
    const values = results.map((tensor) => tensor.dataSync<'float32'>().slice());
    tf.dispose(results);
    return values as [Float32Array, Float32Array];
  });
  let [largest, worst] = [0, 0];
  for (let index = 0; index < own.length; index++) {
    largest = Math.max(largest, Math.abs(own[index]!), Math.abs(head[index]!));
    if (!(differenceAt(own, head, index) <= differenceAt(own, head, worst))) worst = index;
  }
  if (differenceAt(own, head, worst) <= tolerance * largest) return;
  throw new InvalidArgumentError(
    `the logits of \`forward\` are not those of the head: for token ${tokens[Math.floor(worst / vocabularySize)]}, logit ${worst % vocabularySize} is ${own[worst]} in \`forward\` and ${head[worst]} from the head. Training uses the head: give the weight [vocabulary, hidden], bias and softCap that \`forward\` uses, and the hidden states that the head takes`,
  );
}

/** Compares the hidden states of all tokens but the last when the last one changes. */
function checkCausal(model: CausalLanguageModel, tokens: Int32Array): void {
  if (tokens.length < 2) return;
  const { hiddenSize } = model.description;
  const statesOf = (row: Int32Array) =>
    withRow(row, (ids, mask) => {
      const states = tf.tidy(() => model.hiddenStates(ids, mask));
      const values = states.dataSync<'float32'>().slice(0, (row.length - 1) * hiddenSize);
      states.dispose();
      return values;
    });
  const changed = tokens.slice();
  changed[tokens.length - 1] = tokens[0]!;
  const [before, after] = [statesOf(tokens), statesOf(changed)];
  const largest = before.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const moved = before.findIndex((_, index) => !(differenceAt(before, after, index) <= tolerance * largest));
  if (moved < 0) return;
  throw new InvalidArgumentError(
    `the model is not causal: when token ${tokens.length} of a row changes, the hidden state of token ${Math.floor(moved / hiddenSize) + 1} changes too (${before[moved]} becomes ${after[moved]}). Mask attention to later tokens, and pool over no later ones`,
  );
}

function differenceAt(own: Float32Array, head: Float32Array, index: number): number {
  return Math.abs(own[index]! - head[index]!);
}

function checkShape(name: string, { shape }: tf.Tensor, expected: readonly number[]): void {
  if (shape.join() === expected.join()) return;
  throw new ShapeError(
    `\`forward\` returned ${name} of shape [${shape}] for ids of shape [${expected.slice(0, 2)}], expected [${expected}]`,
  );
}

/** Compares the variables that get a gradient with those that the model lists. */
function checkListedWeights(model: CausalLanguageModel, tokens: Int32Array): void {
  const variables = new Map(Object.entries(model.parameters).map(([name, variable]) => [variable.name, name]));
  const frozen = new Set(Object.values(model.frozen ?? {}).map(({ name }) => name));
  if (variables.size === 0) {
    throw new InvalidArgumentError('the model lists no parameters to train; give fromForwardModel its `parameters`');
  }
  const used = withRow(tokens, (ids, mask) => {
    const loss = () =>
      tf.tidy(() => {
        const hidden = model.hiddenStates(ids, mask);
        const rows = tf.reshape(hidden, [tokens.length, model.description.hiddenSize]);
        return tf.sum(model.logits(rows as tf.Tensor2D)) as tf.Scalar;
      });
    // Without a list, tfjs gives the gradients of every trainable variable that the loss depends on.
    const { value, grads } = tf.variableGrads(loss);
    const names = Object.keys(grads);
    tf.dispose([value, grads]);
    return new Set(names);
  });
  const forgotten = [...used].filter((name) => !variables.has(name) && !frozen.has(name));
  if (forgotten.length > 0) {
    throw new InvalidArgumentError(
      `\`forward\` uses trainable variables that the model does not list: ${forgotten.slice(0, 5).join(', ')}. List them as \`parameters\` to train them, or as \`frozen\` to keep them`,
    );
  }
  const unused = [...variables].filter(([variable]) => !used.has(variable)).map(([, name]) => name);
  if (unused.length > 0) {
    throw new InvalidArgumentError(
      `no gradient reaches the parameters ${unused.slice(0, 5).join(', ')}. Compute with the variables themselves, not with copies of their values, or list them as \`frozen\``,
    );
  }
}
