import { createHash } from 'node:crypto';
import { digest, RarefyError, StateMismatchError } from '@rarefy/core';
import { type CausalLanguageModel, weightsDigest } from '@rarefy/lm';
import type { Tokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Records which data the weights of a model hold now, and returns a check that they still hold it. tfjs gives a variable new data
 * on every assignment and never changes data in place, so the check compares one reference per parameter and reads no number.
 * Weights that the model lists neither as `parameters` nor as `frozen`, outside its head, are not watched.
 * @returns a function that throws StateMismatchError if a weight changed, RarefyError if the model was disposed
 */
export function watchWeights(model: CausalLanguageModel): () => void {
  const recorded = new Map(Object.entries(variablesOf(model)).map(([name, { dataId }]) => [name, dataId]));
  return () => {
    const variables = variablesOf(model);
    for (const [name, dataId] of recorded) {
      const variable = variables[name];
      if (variable?.isDisposed) {
        throw new RarefyError(
          'the model of this embedder was disposed; dispose a model or snapshot after its last use',
        );
      }
      if (variable?.dataId === dataId) continue;
      throw new StateMismatchError(
        `the weight '${name}' of the model changed after this embedder was created, so rows would no longer match the embedder's fingerprint. Create the embedder from snapshot(model) of @rarefy/lm, and create another one from a new snapshot after further training`,
      );
    }
  };
}

/** The parameters and frozen weights of the model, and the variables of its head, which a user's own model may not list. */
function variablesOf({ parameters, frozen, head }: CausalLanguageModel): Readonly<Record<string, tf.Variable>> {
  const variables: Record<string, tf.Variable> = { ...frozen, ...parameters };
  if (head.weight instanceof tf.Variable) variables['head.weight'] ??= head.weight;
  if (head.bias instanceof tf.Variable) variables['head.bias'] ??= head.bias;
  return variables;
}

/**
 * Digest of everything that the hidden states and logits of a text depend on: settings, weights and head of the model, and the
 * tokenizer. 32 hex digits, the same on every backend, and the same for a model and its snapshot.
 * @throws InvalidArgumentError if the model has neither parameters nor a name.
 */
export async function modelDigest(model: CausalLanguageModel, tokenizer: Tokenizer): Promise<string> {
  const { parameters, frozen, description, settings, head } = model;
  const weights = [await weightsDigest(model)];
  const listed = new Set(Object.values({ ...frozen, ...parameters }).map(({ dataId }) => dataId));
  for (const tensor of [head.weight, head.bias]) {
    if (tensor && !listed.has(tensor.dataId)) weights.push(digest((await tensor.data()) as Float32Array));
  }
  const { json, vocabularySize } = tokenizer;
  const identity = [description, settings, weights, json, vocabularySize, Array.from(tokenizer.encode(sampleText))];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
}

/** Tells tokenizers apart that have no `json`, such as a user's own. */
const sampleText = 'The quick brown fox jumps over 13 lazy dogs.\n\tÜber naïve 狐狸!';
