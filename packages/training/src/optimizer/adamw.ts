import {
  checkNumber,
  checkOptions,
  described,
  InvalidArgumentError,
  StateMismatchError,
  shown,
  TrainingError,
} from '@rarefy/core';
import { type AdamWFactors, runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { gradientNorm } from './gradients.js';

export interface AdamWOptions {
  readonly learningRate: number;
  /** Decay of the first and second moment, each in [0, 1); default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay of parameters of rank 2 and more: as in transformers, not of norms and biases. Default 0, as in TRL. */
  readonly weightDecay?: number;
  /** If the norm of all gradients together is larger, they are scaled down to it; default: no clipping. */
  readonly maxGradNorm?: number;
}

/** Names of {@link AdamWOptions}. */
export const adamWOptionNames = [
  'learningRate',
  'betas',
  'epsilon',
  'weightDecay',
  'maxGradNorm',
] as const satisfies readonly (keyof AdamWOptions)[];

/**
 * The options with defaults filled in; no clipping is `Infinity`.
 * @throws InvalidArgumentError if an option is out of range or unknown.
 */
export function adamWSettings(options: AdamWOptions): Required<AdamWOptions> {
  checkOptions(options, adamWOptionNames, 'adamW');
  const { learningRate, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0, maxGradNorm = Infinity } = options;
  checkNumber('learningRate', learningRate, 0);
  checkNumber('epsilon', epsilon, 0);
  checkNumber('weightDecay', weightDecay, 0);
  if (
    !Array.isArray(betas) ||
    betas.length !== 2 ||
    !betas.every((beta) => Number.isFinite(beta) && beta >= 0 && beta < 1)
  ) {
    const seen = Array.isArray(betas) ? `[${betas.map(shown).join(', ')}]` : shown(betas);
    throw new InvalidArgumentError(`betas must be two numbers in [0, 1), got ${seen}`);
  }
  if (!(typeof maxGradNorm === 'number' && maxGradNorm > 0)) {
    throw new InvalidArgumentError(`maxGradNorm must be a number > 0, got ${shown(maxGradNorm)}`);
  }
  return { learningRate, betas, epsilon, weightDecay, maxGradNorm };
}

/** State for an exact resume: `exp_avg.<name>` and `exp_avg_sq.<name>` of every parameter, flat. */
export interface AdamWState {
  /** Number of steps taken. */
  readonly step: number;
  readonly tensors: Readonly<Record<string, Float32Array>>;
}

export interface AdamW {
  /**
   * Updates the parameters in place. Reads the gradient norm from the device, so it waits for the backward pass.
   * @param gradients one per parameter, by the name of its variable, as `tf.variableGrads` returns them; the caller disposes them
   * @param learningRate of this step; default: the option
   * @returns the norm of all gradients together, before clipping
   * @throws TrainingError if the norm is not finite; InvalidArgumentError if a gradient is missing or unknown. The parameters
   *   are then unchanged.
   */
  step(gradients: Readonly<Record<string, tf.Tensor>>, learningRate?: number): number;
  /** A copy of the state, read from the device. */
  state(): AdamWState;
  /** Restores a state bit for bit. @throws StateMismatchError if it belongs to other parameters; then nothing is restored. */
  restore(state: AdamWState): void;
  /** Frees the moments, but not the parameters. */
  dispose(): void;
}

/** A parameter and its two moments. */
interface Slot {
  readonly name: string;
  readonly parameter: tf.Variable;
  readonly average: tf.Variable;
  readonly averageSquare: tf.Variable;
}

/**
 * AdamW (Loshchilov & Hutter 2019) with gradient clipping, computed as in PyTorch; weight decay reaches matrices alone.
 * Deterministic: the same gradients on the same backend give the same bytes.
 * @param parameters trainable variables, by the names that the state uses
 * @throws InvalidArgumentError if an option is out of range or unknown, there are no parameters, or one is not a variable.
 */
export function adamW(parameters: Readonly<Record<string, tf.Variable>>, options: AdamWOptions): AdamW {
  const { learningRate, betas, epsilon, weightDecay, maxGradNorm } = adamWSettings(options);
  const [beta1, beta2] = betas;
  for (const [name, parameter] of Object.entries(parameters)) {
    if (parameter instanceof tf.Variable) continue;
    throw new InvalidArgumentError(
      `parameter '${name}' must be a tf.Variable, got ${described(parameter)}; give the parameters of the model, model.parameters`,
    );
  }
  if (Object.keys(parameters).length === 0) throw new InvalidArgumentError('parameters is empty; give at least one');
  const slots: Slot[] = Object.entries(parameters).map(([name, parameter]) => ({
    name,
    parameter,
    average: zeroMoment(parameter),
    averageSquare: zeroMoment(parameter),
  }));
  let taken = 0;

  return {
    step(gradients, rate = learningRate) {
      checkNumber('learningRate', rate, 0);
      const ordered = orderGradients(slots, gradients);
      const norm = gradientNorm(ordered);
      if (!Number.isFinite(norm)) {
        throw new TrainingError(`the gradient norm is ${norm} at optimizer step ${taken + 1}; nothing was updated`);
      }
      // As in torch.nn.utils.clip_grad_norm_; 1e-6 keeps the division finite.
      const scale = Math.min(1, maxGradNorm / (norm + 1e-6));
      taken++;
      const correction1 = 1 - beta1 ** taken;
      const correction2 = Math.sqrt(1 - beta2 ** taken);
      // The same numbers as in PyTorch but for rounding; constants are combined, because each operation is a pass over the weights.
      const factors = {
        ...{ beta1, gain: scale * (1 - beta1), beta2, squareGain: scale ** 2 * (1 - beta2) },
        ...{ epsilon: epsilon * correction2, stepSize: (rate * correction2) / correction1 },
      };
      slots.forEach(({ parameter, average, averageSquare }, index) => {
        const decay = parameter.rank < 2 ? 1 : 1 - rate * weightDecay;
        const given = { parameter, gradient: ordered[index]!, average, averageSquare };
        tf.tidy(() => {
          const [next, nextAverage, nextSquare] =
            runFused('AdamW', given, { ...factors, decay }) ?? plainStep(given, { ...factors, decay });
          parameter.assign(next!);
          average.assign(nextAverage!);
          averageSquare.assign(nextSquare!);
        });
      });
      return norm;
    },

    state() {
      const tensors: Record<string, Float32Array> = {};
      for (const { name, average, averageSquare } of slots) {
        // Copied: the cpu backend returns its own buffer.
        tensors[`exp_avg.${name}`] = average.dataSync<'float32'>().slice();
        tensors[`exp_avg_sq.${name}`] = averageSquare.dataSync<'float32'>().slice();
      }
      return { step: taken, tensors };
    },

    restore(state) {
      const moments = slots.flatMap(({ name, average, averageSquare }): [string, tf.Variable][] => [
        [`exp_avg.${name}`, average],
        [`exp_avg_sq.${name}`, averageSquare],
      ]);
      checkState(state, moments);
      for (const [name, moment] of moments) {
        const values = tf.tensor(state.tensors[name]!.slice(), moment.shape, 'float32');
        moment.assign(values);
        values.dispose();
      }
      taken = state.step;
    },

    dispose() {
      for (const { average, averageSquare } of slots) tf.dispose([average, averageSquare]);
    },
  };
}

/** The next parameter and moments. */
function plainStep(
  {
    parameter,
    gradient,
    average,
    averageSquare,
  }: Record<'parameter' | 'gradient' | 'average' | 'averageSquare', tf.Tensor>,
  { beta1, gain, beta2, squareGain, decay, epsilon, stepSize }: AdamWFactors,
): tf.Tensor[] {
  const nextAverage = tf.add(tf.mul(average, beta1), tf.mul(gradient, gain));
  const nextSquare = tf.add(tf.mul(averageSquare, beta2), tf.mul(tf.square(gradient), squareGain));
  const change = tf.mul(tf.div(nextAverage, tf.add(tf.sqrt(nextSquare), epsilon)), stepSize);
  return [tf.sub(decay === 1 ? parameter : tf.mul(parameter, decay), change), nextAverage, nextSquare];
}

function zeroMoment(parameter: tf.Variable): tf.Variable {
  return tf.tidy(() => tf.variable(tf.zerosLike(parameter), false));
}

function orderGradients(slots: readonly Slot[], gradients: Readonly<Record<string, tf.Tensor>>): tf.Tensor[] {
  const ordered = slots.map(({ name, parameter }) => {
    const gradient = gradients[parameter.name];
    if (!gradient) {
      throw new InvalidArgumentError(
        `parameter '${name}' (variable '${parameter.name}') has no gradient; remove parameters that the loss does not use`,
      );
    }
    if (gradient.shape.join() !== parameter.shape.join()) {
      throw new InvalidArgumentError(
        `the gradient of '${name}' has shape [${gradient.shape}], and the parameter [${parameter.shape}]`,
      );
    }
    return gradient;
  });
  const known = new Set(slots.map(({ parameter }) => parameter.name));
  const unknown = Object.keys(gradients).find((name) => !known.has(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`gradient '${unknown}' belongs to none of the parameters`);
  return ordered;
}

function checkState(state: AdamWState, moments: readonly [string, tf.Variable][]): void {
  if (!(Number.isSafeInteger(state.step) && state.step >= 0)) {
    throw new StateMismatchError(`the optimizer state has step ${state.step}; it must be an integer ≥ 0`);
  }
  for (const [name, moment] of moments) {
    const length = state.tensors[name]?.length;
    if (length !== moment.size) {
      throw new StateMismatchError(
        `the optimizer state has ${length ?? 'no'} values for '${name}', which has ${moment.size}; it belongs to another model`,
      );
    }
  }
  const known = new Set(moments.map(([name]) => name));
  const extra = Object.keys(state.tensors).find((name) => !known.has(name));
  if (extra !== undefined)
    throw new StateMismatchError(`the optimizer state has '${extra}', which is not a parameter of this model`);
}
