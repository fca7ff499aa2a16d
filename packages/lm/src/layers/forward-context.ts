import { InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * What all layers of one forward pass share. In a pass over one token per row, all activations are [batch, width]; otherwise they
 * are [batch, T, width].
 */
export interface ForwardContext {
  /** int32 [batch, T], or [batch] for one token per row: the position of each token among the real tokens of its row. */
  readonly positions: tf.Tensor;
  /** All positions are smaller than this. */
  readonly positionLimit: number;
  /**
   * [batch, 1, T, S]: 0 where a token may attend, -1e9 where it may not: later columns, padding, and columns that are `window` or
   * more before its own. Undefined if all tokens may attend to all S columns.
   * @param window one of the `windows` that the context was made for; none: all earlier columns
   */
  bias(window?: number): tf.Tensor | undefined;
  /**
   * Appends the keys and values of a layer to the cache, if there is one.
   * @returns those of the S columns that `bias(window)` is for
   */
  remember(layer: number, key: tf.Tensor, value: tf.Tensor, window?: number): readonly [tf.Tensor, tf.Tensor];
}

/**
 * The context of a forward pass without a cache. Call inside a tidy.
 * @param windows how many columns back layers attend to, itself included, where they do not attend to all
 * @param mask int32 [batch, T], 1 for real tokens
 * @param positions int32 [batch, T]; default: counts real tokens
 * @throws InvalidArgumentError if the rows are longer than the positions of the model.
 */
export function forwardContext(
  maxPositions: number,
  windows: readonly number[],
  mask: tf.Tensor2D,
  positions?: tf.Tensor2D,
): ForwardContext {
  const length = mask.shape[1];
  checkPositions(length, maxPositions);
  const whole = attentionBias(mask, length);
  const narrow = new Map(windows.map((window) => [window, window >= length ? whole : attentionBias(mask, window)]));
  return {
    positions: positions ?? realPositions(mask),
    positionLimit: positions ? maxPositions : length,
    bias: (window) => (window === undefined ? whole : narrow.get(window)!),
    remember: (_, key, value) => [key, value],
  };
}

/** @throws ShapeError if `ids` and `mask` have different shapes. */
export function checkMask(ids: tf.Tensor2D, mask: tf.Tensor2D): void {
  const [batch, length] = ids.shape;
  if (mask.shape[0] === batch && mask.shape[1] === length) return;
  throw new ShapeError(
    `ids are ${batch} x ${length} and the mask is ${mask.shape.join(' x ')}; give both the same shape`,
  );
}

/** @throws InvalidArgumentError if a row of `length` tokens is longer than the positions of the model. */
export function checkPositions(length: number, maxPositions: number): void {
  if (length <= maxPositions) return;
  throw new InvalidArgumentError(
    `a row of ${length} tokens is longer than the ${maxPositions} positions of the model; cut the text`,
  );
}

/** Number of real tokens before each token. Padding gets the position of a neighbor; no real token attends to it. */
function realPositions(mask: tf.Tensor2D): tf.Tensor2D {
  const counts = tf.cumsum(tf.cast(mask, 'float32'), 1);
  return tf.cast(tf.maximum(tf.sub(counts, 1), 0), 'int32') as tf.Tensor2D;
}

function attentionBias(mask: tf.Tensor2D, window: number): tf.Tensor {
  const [batch, length] = mask.shape;
  const causal = new Float32Array(length * length);
  for (let row = 0; row < length; row++) {
    causal.fill(1, row * length + Math.max(0, row + 1 - window), row * length + row + 1);
  }
  const allowed = tf.mul(
    tf.reshape(tf.cast(mask, 'float32'), [batch, 1, 1, length]),
    tf.tensor4d(causal, [1, 1, length, length]),
  );
  return tf.mul(tf.sub(allowed, 1), 1e9);
}
