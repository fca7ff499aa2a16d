import { checkInteger, checkNumber, checkOptions, described, InvalidArgumentError, ShapeError } from '@rarefy/core';
import type { Variable } from '@tensorflow/tfjs-core';
import { headLogits, type OutputHead } from '../layers/basic-layers.js';
import type { CausalLanguageModel, ForwardModel, ModelOutput } from './causal-language-model.js';

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
 * @throws InvalidArgumentError for an unknown option, a missing `forward` or a missing head; ShapeError if the bias and the
 *   vocabulary have different lengths. The functions of the model throw InvalidArgumentError if `forward` does not return logits
 *   and hidden states, and ShapeError if the hidden states have another width than the head.
 */
export function fromForwardModel(model: ForwardModel, options: ForwardModelOptions): CausalLanguageModel {
  checkOptions(options, optionNames, 'fromForwardModel');
  if (typeof Object(model).forward !== 'function') {
    const hint = typeof model === 'function' ? '; give { forward }' : '';
    throw new InvalidArgumentError(
      `fromForwardModel needs an object with a function \`forward\`, got ${described(model)}${hint}`,
    );
  }
  const { head, maxPositions, parameters = {}, frozen, name } = options ?? {};
  checkHead(head);
  checkInteger('maxPositions', maxPositions, 1);
  const [vocabularySize, hiddenSize] = head.weight.shape;
  const { softCap } = head;
  const forward: ForwardModel['forward'] = (ids, mask) => checkedOutput(model.forward(ids, mask), head);
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
    forward,
    hiddenStates: (ids, mask) => {
      const { logits, hiddenStates } = forward(ids, mask);
      logits.dispose();
      return hiddenStates;
    },
    logits: (hiddenStates) => headLogits(hiddenStates, head),
    dispose() {},
  };
}

function checkHead(head: OutputHead): void {
  if (head === undefined || head?.weight?.shape?.length !== 2) {
    throw new InvalidArgumentError(
      'fromForwardModel needs `head`: { weight } with a tensor [vocabulary, hidden], and bias or softCap if `forward` uses them',
    );
  }
  checkOptions(head, headNames, 'the head of fromForwardModel');
  const { weight, bias, softCap } = head;
  if (softCap !== undefined) checkNumber('softCap', softCap, 0);
  if (bias !== undefined && bias.size !== weight.shape[0]) {
    throw new ShapeError(`the head has ${bias.size} biases for a vocabulary of ${weight.shape[0]}; give one per token`);
  }
}

function checkedOutput(output: ModelOutput, { weight }: OutputHead): ModelOutput {
  const [vocabularySize, hiddenSize] = weight.shape;
  const { logits, hiddenStates } = Object(output) as ModelOutput;
  for (const [name, tensor] of Object.entries({ logits, hiddenStates })) {
    if (tensor?.shape?.length === 3) continue;
    const what = tensor?.shape === undefined ? described(tensor) : `of shape [${tensor.shape}]`;
    const asked = described(output) === 'a promise' ? 'a promise; it must not be async' : `${name} ${what}`;
    throw new InvalidArgumentError(
      `\`forward\` must return { logits, hiddenStates }, tensors [batch, T, vocabulary] and [batch, T, hidden], and returned ${asked}`,
    );
  }
  const width = hiddenStates.shape[2];
  if (width === hiddenSize) return output;
  const hint =
    width === vocabularySize
      ? 'its weight is [hidden, vocabulary]; give tf.transpose(weight), which is [vocabulary, hidden]'
      : 'give the head of this model';
  throw new ShapeError(
    `\`forward\` returned hidden states of width ${width}, and the head takes ${hiddenSize}; ${hint}`,
  );
}
