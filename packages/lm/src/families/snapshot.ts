import { InvalidArgumentError, RarefyError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { headLogits } from '../layers/basic-layers.js';
import type { CausalLanguageModel } from './causal-language-model.js';
import { checkModel } from './check-model.js';
import { checkOutputHead } from './check-trainable.js';
import { weightsDigest } from './language-model.js';

/** A model whose weights never change. Dispose it when you no longer need it: `using frozen = snapshot(model)` does. */
export interface ModelSnapshot extends CausalLanguageModel, Disposable {
  /** {@link weightsDigest} of the weights of the snapshot. Computed once. */
  fingerprint(): Promise<string>;
}

/**
 * Keeps the weights that a model has now. The snapshot embeds and generates as the model does now, whatever training does to the
 * model later. It copies no numbers: both share data until the next optimizer step gives the model new data. No gradient flows into
 * a snapshot.
 *
 * A snapshot of a built-in family is independent of the model. One of your own model calls its `forward` with the kept weights in
 * its variables, and puts the current ones back before it returns; do not dispose those variables earlier.
 * @throws InvalidArgumentError if the model lists no weights that a snapshot could keep, or its logits are not those of its head.
 *   The functions of a disposed snapshot throw RarefyError.
 */
export function snapshot(model: CausalLanguageModel): ModelSnapshot {
  checkModel(model, 'snapshot');
  const weights = [...new Set(weightsOf(model))];
  if (!weights.some((weight) => weight instanceof tf.Variable)) {
    throw new InvalidArgumentError(
      'the model lists no parameters, so a snapshot cannot keep its weights; give fromForwardModel its `parameters`',
    );
  }
  if (weights.some(({ isDisposed }) => isDisposed)) {
    throw new RarefyError('the weights of the model are disposed; take the snapshot before you dispose the model');
  }
  checkOutputHead(model);
  // A variable shares the data of its initial value: tfjs counts references.
  const kept: KeptWeights = new Map(weights.map((weight) => [weight, tf.variable(weight, false)]));
  const keptOf = (record: Readonly<Record<string, tf.Variable>>) =>
    Object.fromEntries(Object.entries(record).map(([name, variable]) => [name, kept.get(variable)!]));
  const parameters = keptOf(model.parameters);
  const bound =
    model.withParameters?.(parameters, keptOf(model.frozen ?? {})) ??
    lendingModel(model, kept, { parameters, frozen: keptOf(model.frozen ?? {}) });
  let fingerprint: Promise<string> | undefined;
  let disposed = false;
  const whileKept =
    <Inputs extends readonly unknown[], Result>(call: (...inputs: Inputs) => Result) =>
    (...inputs: Inputs): Result => {
      if (disposed)
        throw new RarefyError('this snapshot is disposed; dispose it after its last use, or take another one');
      return call(...inputs);
    };
  const computeFingerprint = whileKept(() => weightsDigest(frozen));
  const frozen: ModelSnapshot = {
    ...bound,
    hiddenStates: whileKept(bound.hiddenStates),
    logits: whileKept(bound.logits),
    forward: whileKept(bound.forward),
    fingerprint: () => (fingerprint ??= computeFingerprint()),
    dispose() {
      if (disposed) return;
      disposed = true;
      bound.dispose();
      for (const value of kept.values()) if (!value.isDisposed) value.dispose();
    },
    [Symbol.dispose]: () => frozen.dispose(),
  };
  return frozen;
}

/** The kept value of each weight. */
type KeptWeights = ReadonlyMap<tf.Tensor, tf.Variable>;

/** The parameters of the model, and the weights of its head, which your own model may not list among them. */
function weightsOf({ parameters, frozen = {}, head }: CausalLanguageModel): readonly tf.Tensor[] {
  return [
    ...Object.values(parameters),
    ...Object.values(frozen),
    head.weight,
    ...(head.bias === undefined ? [] : [head.bias]),
  ];
}

/** A model that computes with the kept values in place of the current values of the variables of `model`. */
function lendingModel(
  model: CausalLanguageModel,
  kept: KeptWeights,
  lists: Pick<CausalLanguageModel, 'parameters' | 'frozen'>,
): CausalLanguageModel {
  const { weight, bias, ...cap } = model.head;
  const head = {
    ...cap,
    weight: kept.get(weight) as unknown as tf.Tensor2D,
    ...(bias === undefined ? {} : { bias: kept.get(bias) as unknown as tf.Tensor1D }),
  };
  const hiddenStates: CausalLanguageModel['hiddenStates'] = (ids, mask, options) =>
    withoutGradient(ids, () => withValues(kept, () => model.hiddenStates(ids, mask, options)));
  const logits = (hidden: tf.Tensor2D) => headLogits(hidden, head);
  return {
    description: model.description,
    ...lists,
    head,
    hiddenStates,
    logits,
    forward: (ids, mask, options) => {
      const states = hiddenStates(ids, mask, options);
      const [batch, length, width] = states.shape;
      const rows = tf.tidy(() => tf.reshape(logits(tf.reshape(states, [batch * length, width])), [batch, length, -1]));
      return { logits: rows as tf.Tensor3D, hiddenStates: states };
    },
    dispose() {},
  };
}

/** Calls a synchronous function while the variables hold their kept values. */
function withValues<Result>(kept: KeptWeights, call: () => Result): Result {
  const variables = [...kept.keys()].filter((weight): weight is tf.Variable => weight instanceof tf.Variable);
  if ([...variables, ...kept.values()].some(({ isDisposed }) => isDisposed)) {
    throw new RarefyError(
      'the weights of this snapshot or of its model are disposed; dispose both only after the last use',
    );
  }
  const current = variables.map((variable) => tf.variable(variable, false));
  try {
    for (const variable of variables) variable.assign(kept.get(variable)!);
    return call();
  } finally {
    for (const [index, variable] of variables.entries()) variable.assign(current[index]!);
    tf.dispose(current);
  }
}

/** Calls `compute` without recording it for gradients: they would flow into the variables of the model in training. */
function withoutGradient(ids: tf.Tensor2D, compute: () => tf.Tensor3D): tf.Tensor3D {
  return tf.customGrad<tf.Tensor3D>(() => ({ value: compute(), gradFunc: () => tf.zerosLike(ids) }))(ids);
}
