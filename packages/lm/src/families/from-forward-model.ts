import { checkInteger, checkOptions, ShapeError } from '@rarefy/core';
import type { Variable } from '@tensorflow/tfjs-core';
import { headLogits, type OutputHead } from '../layers/basic-layers.js';
import type { CausalLanguageModel, ForwardModel } from './causal-language-model.js';

export interface ForwardModelOptions {
  /** The output head: weight [vocabulary, hidden] and optionally bias [vocabulary]. The caller keeps and disposes both. */
  readonly head: OutputHead;
  /** Most tokens per row. */
  readonly maxPositions: number;
  /** Weights to train and save, by name. Default: none; the model can then embed and generate. */
  readonly parameters?: Readonly<Record<string, Variable>>;
  /** Weights to save but not to train, by name. Default: none. */
  readonly frozen?: Readonly<Record<string, Variable>>;
  /**
   * Tells the model from others in the fingerprints of embedders: change it whenever the model changes. Embedders require it of a
   * model without `parameters`.
   */
  readonly name?: string;
}

const optionNames = [
  'head',
  'maxPositions',
  'parameters',
  'frozen',
  'name',
] as const satisfies readonly (keyof ForwardModelOptions)[];
const headNames = ['weight', 'bias', 'scale', 'softCap'] as const satisfies readonly (keyof OutputHead)[];

/**
 * Makes a language model of your own tfjs model, for embedders, generation and training. It has no key/value cache. Disposing
 * it does not free your weights. Training compares `forward` with the head and the listed weights before its first step.
 * @throws InvalidArgumentError for an unknown option; ShapeError if the bias and the vocabulary have different lengths.
 *   `hiddenStates` throws ShapeError if `forward` returns hidden states of another width than the head.
 */
export function fromForwardModel({ forward }: ForwardModel, options: ForwardModelOptions): CausalLanguageModel {
  checkOptions(options, optionNames, 'fromForwardModel');
  const { head, maxPositions, parameters = {}, frozen, name } = options;
  checkOptions(head, headNames, 'the head of fromForwardModel');
  checkInteger('maxPositions', maxPositions, 1);
  const [vocabularySize, hiddenSize] = head.weight.shape;
  const { bias, softCap } = head;
  if (bias !== undefined && bias.size !== vocabularySize) {
    throw new ShapeError(`the head has ${bias.size} biases for a vocabulary of ${vocabularySize}; give one per token`);
  }
  return {
    description: {
      family: 'custom',
      ...(name === undefined ? {} : { name }),
      vocabularySize,
      hiddenSize,
      maxPositions,
      ...(softCap === undefined ? {} : { softCap }),
    },
    parameters,
    ...(frozen === undefined ? {} : { frozen }),
    head,
    forward: (ids, mask) => forward(ids, mask),
    hiddenStates: (ids, mask) => {
      const { logits, hiddenStates } = forward(ids, mask);
      logits.dispose();
      const width = hiddenStates.shape[2];
      if (width === hiddenSize) return hiddenStates;
      throw new ShapeError(
        `forward returned hidden states of width ${width}, and the head takes ${hiddenSize}; give the head of this model`,
      );
    },
    logits: (hiddenStates) => headLogits(hiddenStates, head),
    dispose() {},
  };
}
