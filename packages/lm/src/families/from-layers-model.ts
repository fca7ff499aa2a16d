import { checkInteger, checkOptions, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel } from './causal-language-model.js';
import { withHint } from './check-model.js';

/** What is needed of a `tf.LayersModel`, functional or sequential. */
export interface LayersModel {
  readonly inputs: readonly { readonly shape: readonly (number | null)[] }[];
  readonly outputs: readonly { readonly name: string }[];
  readonly layers: readonly LayersModelLayer[];
  readonly trainableWeights: readonly LayersModelWeight[];
  /** Computes the output of the layer with this name. */
  execute(inputs: tf.Tensor[], output: string): tf.Tensor | tf.Tensor[];
}

interface LayersModelLayer {
  readonly input: unknown;
  readonly output: unknown;
  readonly weights: readonly LayersModelWeight[];
  getClassName(): string;
  getConfig(): object;
}

interface LayersModelWeight {
  readonly originalName: string;
  /** The variable itself. */
  read(): tf.Tensor;
}

export interface LayersModelOptions {
  /** Most tokens per row. Default: the length of the model's input; required if that is null. */
  readonly maxPositions?: number;
  /** As in `fromForwardModel`. */
  readonly name?: string;
}

const optionNames = ['maxPositions', 'name'] as const satisfies readonly (keyof LayersModelOptions)[];

/**
 * Makes a language model of a tf.layers model, for embedders, generation and training. The model takes token ids [batch, T], and as
 * an optional second input the mask [batch, T]. It must be causal: the output of a token depends only on the tokens before it
 * (recurrent layers, or an attention layer of your own). Its last layer is a Dense layer without activation, with one unit per
 * token of the vocabulary; what goes into it are the hidden states.
 *
 * Rows reach the model without padding before their first token, and padded on the right to the length of the input if that is
 * fixed. Layers run as in `predict`, so dropout does nothing. Weights of layers with `trainable: false` are `frozen`, all others
 * are `parameters`; both are named by layer index, `layers.2.kernel`, and so load into the same architecture built again. The
 * kernel of the Dense layer trains as it is; `head.weight` is its transpose. Disposing the result does not dispose the tf.layers
 * model.
 * @throws InvalidArgumentError if `model` is not a tf.layers model, its last layer is not such a Dense layer, it the model has more
 * than two inputs, or `maxPositions`
 *   is missing or longer than the input.
 */
export function fromLayersModel(model: LayersModel, options: LayersModelOptions = {}): CausalLanguageModel {
  checkOptions(options, optionNames, 'fromLayersModel');
  const { kernel, bias, input } = headLayer(model);
  const [hiddenSize, vocabularySize] = kernel.shape;
  const columns = inputLength(model);
  const { name, maxPositions = columns } = options;
  if (maxPositions === undefined) {
    throw new InvalidArgumentError('the input of the model has no length; give fromLayersModel `maxPositions`');
  }
  checkInteger('maxPositions', maxPositions, 1, columns);

  const hiddenStates: CausalLanguageModel['hiddenStates'] = (ids, mask) => {
    const [batch, length] = ids.shape;
    if (length > maxPositions) {
      throw new ShapeError(
        `a row of ${length} tokens is longer than the ${maxPositions} positions of the model; cut it`,
      );
    }
    return tf.tidy(() => {
      const rows = withoutLeadingPadding(ids, mask, columns ?? length);
      const inputs = model.inputs.length === 1 ? [rows.ids] : [rows.ids, rows.mask];
      const states = model.execute(inputs, input) as tf.Tensor;
      if (states.rank !== 3 || states.shape[2] !== hiddenSize) {
        throw new ShapeError(
          `the input of the last layer has shape [${states.shape}], expected [batch, T, ${hiddenSize}]`,
        );
      }
      // A gather of whole rows: its gradient is a sum over rows, which every backend has.
      const flat = tf.gather(tf.reshape(states, [-1, hiddenSize]), tf.tensor1d(rows.sources, 'int32'));
      return tf.reshape(flat, [batch, length, hiddenSize]);
    });
  };
  const logits: CausalLanguageModel['logits'] = (states) =>
    tf.tidy(() => {
      const product = tf.matMul(states, kernel) as tf.Tensor2D;
      return bias === undefined ? product : tf.add<tf.Tensor2D>(product, bias);
    });
  const transposed = transposeOf(kernel);

  return {
    description: {
      family: 'custom',
      ...(name === undefined ? {} : { name }),
      vocabularySize,
      hiddenSize,
      maxPositions,
    },
    ...namedWeights(model),
    head: {
      get weight() {
        return transposed.current();
      },
      ...(bias === undefined ? {} : { bias }),
    },
    hiddenStates,
    logits,
    forward: (ids, mask) => {
      const states = hiddenStates(ids, mask);
      const [batch, length] = ids.shape;
      const flat = tf.tidy(() =>
        tf.reshape(logits(tf.reshape(states, [batch * length, hiddenSize])), [batch, length, vocabularySize]),
      );
      return { logits: flat as tf.Tensor3D, hiddenStates: states };
    },
    dispose: () => transposed.dispose(),
  };
}

/** Kernel [hidden, vocabulary] and bias of the last layer, and the name of what goes into it. */
function headLayer(model: LayersModel) {
  const { layers, inputs, outputs } = Object(model) as LayersModel;
  if (![layers, inputs].every(Array.isArray)) {
    throw new InvalidArgumentError(`fromLayersModel needs a tf.layers model, got ${withHint(model)}`);
  }
  const head = layers.at(-1);
  const { activation = 'linear' } = (head?.getConfig() ?? {}) as { readonly activation?: string };
  const input = nameOf(head?.input);
  const needed =
    'fromLayersModel needs a model whose last layer is a Dense layer without activation, with one unit per token';
  if (head?.getClassName() !== 'Dense' || input === undefined) {
    throw new InvalidArgumentError(`${needed}; the last layer is ${head?.getClassName() ?? 'missing'}`);
  }
  if (activation !== 'linear') throw new InvalidArgumentError(`${needed}; its activation is '${activation}'`);
  if (outputs.length !== 1 || nameOf(head.output) !== outputs[0]!.name) {
    throw new InvalidArgumentError(`${needed}; the output of the model is not the output of that layer`);
  }
  if (inputs.length > 2) {
    throw new InvalidArgumentError(
      `the model has ${inputs.length} inputs; expected token ids, and optionally the mask`,
    );
  }
  const [kernel, bias] = head.weights.map((weight) => weight.read());
  return { kernel: kernel as tf.Tensor2D, bias: bias as tf.Tensor1D | undefined, input };
}

function nameOf(tensor: unknown): string | undefined {
  return typeof tensor === 'object' && tensor !== null && 'name' in tensor ? String(tensor.name) : undefined;
}

/** The fixed length of the input; undefined if it has none. */
function inputLength({ inputs }: LayersModel): number | undefined {
  return inputs[0]?.shape[1] ?? undefined;
}

/** The weights of all layers as `layers.<index>.<name>`; a layer with several weights of one name numbers them. */
function namedWeights(model: LayersModel): Pick<CausalLanguageModel, 'parameters' | 'frozen'> {
  const trainable = new Set(model.trainableWeights.map((weight) => weight.read()));
  const parameters: Record<string, tf.Variable> = {};
  const frozen: Record<string, tf.Variable> = {};
  model.layers.forEach(({ weights }, index) => {
    const seen = new Map<string, number>();
    for (const weight of weights) {
      const last = weight.originalName.split('/').at(-1)!;
      const count = seen.get(last) ?? 0;
      seen.set(last, count + 1);
      const variable = weight.read() as tf.Variable;
      const list = trainable.has(variable) ? parameters : frozen;
      list[`layers.${index}.${last}${count === 0 ? '' : `.${count}`}`] = variable;
    }
  });
  return { parameters, frozen };
}

/** The transpose of a variable, computed when it is needed and the variable has a new value. */
function transposeOf(kernel: tf.Tensor2D): { current(): tf.Tensor2D; dispose(): void } {
  let transposed: tf.Tensor2D | undefined;
  let source: object | undefined;
  return {
    current() {
      if (!transposed || transposed.isDisposed || source !== kernel.dataId) {
        transposed?.dispose();
        transposed = tf.keep(tf.transpose(kernel));
        source = kernel.dataId;
      }
      return transposed;
    },
    dispose() {
      transposed?.dispose();
      transposed = undefined;
    },
  };
}

/**
 * Moves each row to the left, so that it starts with its first real token, and pads it on the right to `columns`.
 * @returns ids and mask, int32 [batch, columns], and for each token of the input the row of the flat result [batch * columns] that
 *   belongs to it; a padding token gets that of a neighbor
 */
function withoutLeadingPadding(ids: tf.Tensor2D, mask: tf.Tensor2D, columns: number) {
  const [batch, length] = ids.shape;
  const [allIds, allMask] = [ids.dataSync(), mask.dataSync()];
  const [movedIds, movedMask] = [new Int32Array(batch * columns), new Int32Array(batch * columns)];
  const sources = new Int32Array(batch * length);
  for (let row = 0; row < batch; row++) {
    const maskRow = allMask.subarray(row * length, (row + 1) * length);
    const shift = Math.max(0, maskRow.indexOf(1)); // a row of padding only stays as it is
    movedIds.set(allIds.subarray(row * length + shift, (row + 1) * length), row * columns);
    movedMask.set(maskRow.subarray(shift), row * columns);
    for (let column = 0; column < length; column++) {
      sources[row * length + column] = row * columns + Math.max(0, column - shift);
    }
  }
  const shape: [number, number] = [batch, columns];
  return { ids: tf.tensor2d(movedIds, shape, 'int32'), mask: tf.tensor2d(movedMask, shape, 'int32'), sources };
}
