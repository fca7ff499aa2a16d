import { ShapeError } from '@rarefy/core';
import type { Variable } from '@tensorflow/tfjs-core';
import type { CausalLanguageModel, ForwardModel, OutputHead } from './causal-language-model.js';
import { headLogits } from './layers/head-logits.js';

export interface ForwardModelOptions {
  /** The output head, which makes logits of hidden states; weight [vocabulary, hidden] and bias [vocabulary] stay the caller's. */
  readonly head: OutputHead;
  /** Longest row of tokens that the model reads. */
  readonly maxPositions: number;
  /** Weights to train and save, by name; default none: the model can then embed and generate. */
  readonly parameters?: Readonly<Record<string, Variable>>;
}

/**
 * A user's own tfjs model as a language model: embedders, generation and training then take it like any other. It has no
 * key/value cache. Disposing it leaves the caller's weights alone.
 * @throws ShapeError for a bias of another length than the vocabulary; later when `forward` gives hidden states of another width
 * than the head takes.
 */
export function fromForwardModel(
  { forward }: ForwardModel,
  { head, maxPositions, parameters = {} }: ForwardModelOptions,
): CausalLanguageModel {
  const [vocabularySize, hiddenSize] = head.weight.shape;
  const { bias, softCap } = head;
  if (bias !== undefined && bias.size !== vocabularySize) {
    throw new ShapeError(`the head has ${bias.size} biases for a vocabulary of ${vocabularySize}; give one a token`);
  }
  return {
    description: {
      family: 'custom',
      vocabularySize,
      hiddenSize,
      maxPositions,
      ...(softCap === undefined ? {} : { softCap }),
    },
    parameters,
    head,
    forward: (ids, mask) => forward(ids, mask),
    hiddenStates: (ids, mask) => {
      const { logits, hiddenStates } = forward(ids, mask);
      logits.dispose();
      const width = hiddenStates.shape[2];
      if (width === hiddenSize) return hiddenStates;
      throw new ShapeError(`forward gave hidden states ${width} wide and the head takes ${hiddenSize}`);
    },
    logits: (hiddenStates) => headLogits(hiddenStates, head),
    dispose() {},
  };
}
