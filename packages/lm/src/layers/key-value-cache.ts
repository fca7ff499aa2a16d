import { InvalidArgumentError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { rowWriter } from '../backend/write-rows.js';
import { checkPositions, type ForwardContext } from './forward-context.js';
import { reshape } from './kernels.js';

/** The sizes of a model's key/value cache. */
export interface CacheShape {
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/** Keys and values of the tokens so far, one column per token. A column that is padding in some rows is kept. */
export interface KeyValueCache {
  /** Most columns. */
  readonly length: number;
  /** Columns so far. */
  filled: number;
  /** Of each layer; empty until the first forward pass. */
  readonly keys: Columns[];
  readonly values: Columns[];
  /** Of each row, 1 for each of its columns that holds a real token. */
  masks: readonly Uint8Array[];
}

/** Keys or values of a layer. Columns from {@link KeyValueCache.filled} on are unused. */
export interface Columns {
  /** [batch, keyValueHeads, columns, headSize]. */
  readonly tensor: tf.Tensor4D;
  /** The same memory as [batch · keyValueHeads · columns, headSize]. */
  readonly flat: tf.Tensor2D;
}

/** Columns that are added when there is no unused one: the others are copied then. */
const spareColumns = 32;

/** An empty cache of at most `length` columns for `batch` rows. Dispose it with {@link disposeCache}. */
export function keyValueCache(batch: number, length: number): KeyValueCache {
  return {
    length,
    filled: 0,
    keys: [],
    values: [],
    masks: Array.from({ length: batch }, () => new Uint8Array(length)),
  };
}

/** Frees the tensors of a cache. */
export function disposeCache({ keys, values }: KeyValueCache): void {
  for (const { tensor, flat } of [...keys, ...values]) tf.dispose([tensor, flat]);
}

/** Makes `rows` the rows of the cache. A row may be taken several times, or not at all. */
export function takeRows(cache: KeyValueCache, rows: readonly number[]): void {
  tf.tidy(() => {
    const indices = tf.tensor1d(rows as number[], 'int32');
    for (const kept of [cache.keys, cache.values]) {
      for (const [layer, { tensor }] of kept.entries()) keep(kept, layer, tf.gather(tensor, indices));
    }
  });
  cache.masks = rows.map((row) => cache.masks[row]!.slice());
}

/**
 * The context of a forward pass that reads and extends a cache. Positions and what is masked are worked out without the backend:
 * a pass over one token per row then needs no operations for them. The caller counts the columns in `filled` after the pass. Call
 * inside a tidy.
 * @param windows how many columns back layers attend to, itself included, where they do not attend to all
 * @param mask int32 [batch, T], 1 for real tokens
 * @param positions int32 [batch, T]; default: counts real tokens
 * @throws InvalidArgumentError if the rows do not fit into the cache or the model.
 */
export function cachedContext(
  maxPositions: number,
  windows: readonly number[],
  cache: KeyValueCache,
  mask: tf.Tensor2D,
  positions?: tf.Tensor2D,
): ForwardContext {
  const { filled, masks } = cache;
  const [batch, length] = mask.shape;
  const columns = filled + length;
  if (columns > cache.length) {
    throw new InvalidArgumentError(
      `the cache has ${cache.length} columns and ${columns} are needed; make a longer cache`,
    );
  }
  checkPositions(columns, maxPositions);
  const given = mask.dataSync();
  for (const [row, columns] of masks.entries()) columns.set(given.subarray(row * length, (row + 1) * length), filled);
  const { width, append } = columnAppender(cache, length);
  const biases = new Map(
    [undefined, ...windows].map((window) => [window, attentionBias(masks, filled, columns, width, window)]),
  );
  const shape = length === 1 ? [batch] : [batch, length];
  return {
    positions: positions ? tf.reshape(positions, shape) : tf.tensor(countReal(masks, filled, columns), shape, 'int32'),
    positionLimit: positions ? maxPositions : columns,
    bias: (window) => biases.get(window),
    remember: (layer, key, value) => [append(cache.keys, layer, key), append(cache.values, layer, value)],
  };
}

interface ColumnAppender {
  /** Columns after `length` more were appended, with unused ones. */
  readonly width: number;
  /** Appends the columns `fresh` to those of a layer. Returns all, with unused ones. */
  append(kept: Columns[], layer: number, fresh: tf.Tensor): tf.Tensor;
}

/**
 * Where the backend can, one column is written into an unused one, so that a token does not copy the cache. Otherwise the columns
 * are copied, into a tensor with spare ones if they can be used.
 */
function columnAppender({ filled, keys }: KeyValueCache, length: number): ColumnAppender {
  const writeRows = length === 1 && filled > 0 ? rowWriter() : undefined;
  const [batch, heads, width] = keys[0]?.tensor.shape ?? [0, 0, 0];
  if (writeRows && width > filled) {
    const rows = tf.tensor1d(
      Int32Array.from({ length: batch * heads }, (_, row) => row * width + filled),
      'int32',
    );
    return {
      width,
      append(kept, layer, fresh) {
        const { tensor, flat } = kept[layer]!;
        writeRows(flat, rows, reshape(fresh, [rows.size, fresh.shape[3]!]));
        return tensor;
      },
    };
  }
  const spare = writeRows ? spareColumns : 0;
  return {
    width: filled + length + spare,
    append(kept, layer, fresh) {
      const [batch, heads, , headSize] = fresh.shape as [number, number, number, number];
      const before = kept[layer]?.tensor;
      const parts = [
        ...(before ? [width > filled ? tf.slice(before, [0, 0, 0, 0], [batch, heads, filled, headSize]) : before] : []),
        fresh,
        ...(spare > 0 ? [tf.zeros([batch, heads, spare, headSize])] : []),
      ];
      const all = parts.length === 1 ? fresh : tf.concat(parts, 2);
      keep(kept, layer, all);
      return all;
    },
  };
}

/** The number of real tokens before each token of the columns `filled` to `columns` - 1; padding gets that of a neighbor. */
function countReal(masks: readonly Uint8Array[], filled: number, columns: number): Int32Array {
  const counts: number[] = [];
  for (const mask of masks) {
    let count = mask.subarray(0, filled).reduce((sum, real) => sum + real, 0);
    for (let column = filled; column < columns; column++) {
      count += mask[column]!;
      counts.push(Math.max(0, count - 1));
    }
  }
  return Int32Array.from(counts);
}

/**
 * The {@link ForwardContext.bias} of tokens in the columns `filled` to `columns` - 1 for the first `width` columns; undefined if it
 * is 0 everywhere.
 */
function attentionBias(
  masks: readonly Uint8Array[],
  filled: number,
  columns: number,
  width: number,
  window = columns,
): tf.Tensor | undefined {
  const length = columns - filled;
  const bias = new Float32Array(masks.length * length * width).fill(-1e9);
  let open = 0;
  masks.forEach((mask, row) => {
    for (let index = 0; index < length; index++) {
      const end = filled + index + 1;
      const at = (row * length + index) * width;
      for (let column = Math.max(0, end - window); column < end; column++) {
        if (mask[column] === 0) continue;
        bias[at + column] = 0;
        open++;
      }
    }
  });
  return open === bias.length ? undefined : tf.tensor4d(bias, [masks.length, 1, length, width]);
}

/** Puts a tensor in the place of another one of `kept`, which is freed. */
function keep(kept: Columns[], index: number, next: tf.Tensor): void {
  if (kept[index]) tf.dispose([kept[index].tensor, kept[index].flat]);
  const tensor = tf.keep(next) as tf.Tensor4D;
  kept[index] = { tensor, flat: tf.keep(tf.reshape(tensor, [-1, next.shape[3]!])) as tf.Tensor2D };
}
