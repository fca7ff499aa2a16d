import { InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import type { LowRankUpdates } from './low-rank.js';

/** The sizes of a model's key/value cache. */
export interface CacheShape {
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/** Keys and values of every layer, [batch, keyValueHeads, length, headSize] each. The length is fixed. */
export interface KeyValueCache {
  readonly length: number;
  /** Number of columns filled so far. */
  filled: number;
  readonly keys: tf.Tensor4D[];
  readonly values: tf.Tensor4D[];
  /** 1 for each filled column that holds a real token: int32 [batch, length]. */
  mask: tf.Tensor2D;
}

/** An empty cache of `length` columns for `batch` rows. Dispose it with {@link disposeCache}. */
export function keyValueCache(
  { layers, keyValueHeads, headSize }: CacheShape,
  batch: number,
  length: number,
): KeyValueCache {
  const zeros = () =>
    Array.from({ length: layers }, () => tf.zeros([batch, keyValueHeads, length, headSize]) as tf.Tensor4D);
  return { length, filled: 0, keys: zeros(), values: zeros(), mask: tf.zeros([batch, length], 'int32') };
}

/** Frees the tensors of a cache. */
export function disposeCache(cache: KeyValueCache): void {
  tf.dispose([cache.keys, cache.values, cache.mask]);
}

export interface ForwardOptions {
  /** int32 [batch, T]. Default: counts real tokens from 0, so that a padded row gives the same numbers as the row alone. */
  readonly positions?: tf.Tensor2D;
  /** Keys and values of earlier tokens. The forward pass reads them and appends its own. */
  readonly cache?: KeyValueCache;
  /** Updates to apply to linear layers. Default: none. */
  readonly updates?: LowRankUpdates;
  /** Whether a backward pass computes the activations of each layer again, in place of keeping them. Default: false. */
  readonly recompute?: boolean;
}

/** What all layers of one forward pass share. */
export interface ForwardContext {
  /** int32 [batch, T]: the position of each token among the real tokens of its row. */
  readonly positions: tf.Tensor2D;
  /** All positions are smaller than this. */
  readonly positionLimit: number;
  /**
   * [batch, 1, T, S]: 0 where a token may attend, -1e9 where it may not: later columns, padding, and columns that are `window` or
   * more before its own.
   * @param window one of the `windows` that the context was made for; none: all earlier columns
   */
  bias(window?: number): tf.Tensor;
  /** Appends the keys and values of a layer to the cache. Returns those of all columns. */
  remember(layer: number, key: tf.Tensor, value: tf.Tensor): readonly [tf.Tensor, tf.Tensor];
}

/**
 * Call inside a tidy.
 * @param windows how many columns back layers attend to, itself included, where they do not attend to all
 * @param ids int32 [batch, T]
 * @param mask int32 [batch, T], 1 for real tokens
 * @throws ShapeError if `ids` and `mask` have different shapes; InvalidArgumentError if the row does not fit into the cache or
 *   the model.
 */
export function forwardContext(
  maxPositions: number,
  windows: readonly number[],
  ids: tf.Tensor2D,
  mask: tf.Tensor2D,
  { positions, cache }: ForwardOptions,
): ForwardContext {
  const [batch, length] = ids.shape;
  if (mask.shape[0] !== batch || mask.shape[1] !== length) {
    throw new ShapeError(
      `ids are ${batch} x ${length} and the mask is ${mask.shape.join(' x ')}; give both the same shape`,
    );
  }
  const filled = cache?.filled ?? 0;
  if (cache && filled + length > cache.length) {
    throw new InvalidArgumentError(
      `the cache has ${cache.length} columns and ${filled + length} are needed; make a longer cache`,
    );
  }
  if (filled + length > maxPositions) {
    throw new InvalidArgumentError(
      `a row of ${filled + length} tokens is longer than the ${maxPositions} positions of the model; cut the text`,
    );
  }
  const keyMask = cache ? tf.add(cache.mask, padColumns(mask, 1, filled, cache.length)) : mask;
  if (cache) replaceMask(cache, keyMask as tf.Tensor2D);
  const whole = attentionBias(keyMask, length, filled, filled + length);
  const narrow = new Map(
    windows.map((window) => [
      window,
      window >= filled + length ? whole : attentionBias(keyMask, length, filled, window),
    ]),
  );
  return {
    positions: positions ?? realPositions(mask, keyMask),
    positionLimit: positions ? maxPositions : filled + length,
    bias: (window) => (window === undefined ? whole : narrow.get(window)!),
    remember(layer, key, value) {
      if (!cache) return [key, value];
      // Columns that are not filled yet are zero, so adding the padded new columns is exact.
      const update = (kept: tf.Tensor4D[], fresh: tf.Tensor) => {
        const next = tf.keep(tf.add(kept[layer]!, padColumns(fresh, 2, filled, cache.length))) as tf.Tensor4D;
        kept[layer]!.dispose();
        kept[layer] = next;
        return next;
      };
      return [update(cache.keys, key), update(cache.values, value)];
    },
  };
}

function replaceMask(cache: KeyValueCache, mask: tf.Tensor2D): void {
  tf.keep(mask);
  cache.mask.dispose();
  cache.mask = mask;
}

/** Zero-pads x along one axis, so that it starts at column `start` of `length`. */
function padColumns(x: tf.Tensor, axis: number, start: number, length: number): tf.Tensor {
  const after = length - start - x.shape[axis]!;
  return tf.pad(
    x,
    x.shape.map((_, index) => (index === axis ? [start, after] : [0, 0]) as [number, number]),
  );
}

/** Number of real tokens before each token. Padding gets the position of a neighbor; no real token attends to it. */
function realPositions(mask: tf.Tensor2D, keyMask: tf.Tensor): tf.Tensor2D {
  const here = tf.cumsum(tf.cast(mask, 'float32'), 1);
  const before = tf.sub(tf.sum(tf.cast(keyMask, 'float32'), 1, true), tf.sum(tf.cast(mask, 'float32'), 1, true));
  return tf.cast(tf.maximum(tf.sub(tf.add(before, here), 1), 0), 'int32') as tf.Tensor2D;
}

function attentionBias(keyMask: tf.Tensor, length: number, filled: number, window: number): tf.Tensor {
  const [batch, columns] = keyMask.shape as [number, number];
  const causal = new Float32Array(length * columns);
  for (let row = 0; row < length; row++) {
    const end = filled + row + 1;
    causal.fill(1, row * columns + Math.max(0, end - window), row * columns + Math.min(columns, end));
  }
  const allowed = tf.mul(
    tf.reshape(tf.cast(keyMask, 'float32'), [batch, 1, 1, columns]),
    tf.tensor4d(causal, [1, 1, length, columns]),
  );
  return tf.mul(tf.sub(allowed, 1), 1e9);
}
