import { TrainingError } from '@rarefy/core';
import { runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** Gradients by the names of their variables, as `tf.variableGrads` returns them. The caller disposes them. */
export interface Gradients {
  readonly loss: number;
  readonly gradients: Record<string, tf.Tensor>;
}

/**
 * Sums losses and their gradients over micro-batches. If each loss is divided by the totals of the whole batch, the result is
 * that of the whole batch.
 * @throws TrainingError if a loss is not finite, or if tfjs has no gradients because only tfjs-core is loaded.
 */
export async function accumulateGradients(
  parameters: Readonly<Record<string, tf.Variable>>,
  microBatches: Iterable<() => tf.Scalar>,
): Promise<Gradients> {
  if (!tf.getGradient('Sum'))
    throw new TrainingError("training needs the gradients of tfjs: import '@tensorflow/tfjs' first");
  const gradients: Record<string, tf.Tensor> = {};
  let loss = 0;
  for (const microBatch of microBatches) {
    const { value, grads } = tf.variableGrads(microBatch, Object.values(parameters));
    const part = (await value.data())[0]!;
    value.dispose();
    if (!Number.isFinite(part)) {
      tf.dispose([grads, gradients]);
      throw new TrainingError(
        `the loss is ${part}; lower the learning rate, or check the data for extreme rewards or texts`,
      );
    }
    loss += part;
    for (const [name, gradient] of Object.entries(grads)) {
      const sum = gradients[name];
      gradients[name] = sum ? tf.add(sum, gradient) : gradient;
      if (sum) tf.dispose([sum, gradient]);
    }
  }
  return { loss, gradients };
}

/** Square root of the sum of squares over all gradients, with one read from the device. */
export function gradientNorm(gradients: readonly tf.Tensor[]): number {
  const squares = tf.tidy(() =>
    tf.stack(
      gradients.map((gradient) => runFused('SumOfSquares', { x: gradient }, {})?.[0] ?? tf.sum(tf.square(gradient))),
    ),
  );
  const sum = squares.dataSync<'float32'>().reduce((total, square) => total + square, 0);
  squares.dispose();
  return Math.sqrt(sum);
}
