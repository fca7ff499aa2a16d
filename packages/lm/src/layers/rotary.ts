import { isFused, runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { add, mul, sub } from './kernels.js';

/** How a layer rotates its queries and keys. */
export interface RotaryAngles {
  /** Angle per position of each rotated pair: float32 [rotated size / 2]. */
  readonly frequencies: Float32Array;
  /** Factor of cosines and sines: 1 but for YaRN. */
  readonly factor: number;
}

/** Cosines and sines of {@link RotaryAngles}, as many positions as were needed so far. */
export interface RotaryTable {
  /**
   * The rows at `positions`, int32 [batch, T] or [batch], shaped to broadcast over heads: [batch, 1, T, rotated size / 2] each.
   * @param limit all positions are smaller
   */
  rows(positions: tf.Tensor, limit: number): { readonly cos: tf.Tensor; readonly sin: tf.Tensor };
  dispose(): void;
}

const firstPositions = 512;

/**
 * A table of angles position · frequency, in float32 as PyTorch computes them (Su et al. 2021). It starts with 512 positions and
 * doubles when a row is longer: models of today have up to a million positions. The caller disposes it.
 */
export function rotaryTable(angles: RotaryAngles, maxPositions: number): RotaryTable {
  let table = filledTable(angles, Math.min(firstPositions, maxPositions));
  return {
    rows(positions, limit) {
      if (limit > table.cos.shape[0]) {
        const larger = filledTable(angles, Math.min(maxPositions, 2 ** Math.ceil(Math.log2(limit))));
        tf.dispose([table.cos, table.sin]);
        table = larger;
      }
      const [batch, length = 1] = positions.shape as [number, number?];
      const flat = tf.reshape(positions, [batch * length]) as tf.Tensor1D;
      const rows = (values: tf.Tensor2D) => tf.reshape(tf.gather(values, flat), [batch, 1, length, values.shape[1]]);
      return { cos: rows(table.cos), sin: rows(table.sin) };
    },
    dispose: () => tf.dispose([table.cos, table.sin]),
  };
}

function filledTable({ frequencies, factor }: RotaryAngles, positions: number) {
  const half = frequencies.length;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      cos[position * half + i] = Math.fround(Math.cos(angle)) * factor;
      sin[position * half + i] = Math.fround(Math.sin(angle)) * factor;
    }
  }
  // Kept: a table may grow inside a tidy.
  return { cos: tf.keep(tf.tensor2d(cos, [positions, half])), sin: tf.keep(tf.tensor2d(sin, [positions, half])) };
}

/**
 * Rotates the two halves of each head: (a cos - b sin, b cos + a sin). x is [batch, heads, T, headSize]; numbers beyond the
 * rotated size stay. Pass `-sin` to rotate in the opposite direction, as nanochat does.
 */
export function rotate(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const isWhole = cos.shape[0] === x.shape[0] && cos.shape[1] === 1 && cos.shape[2] === x.shape[2];
  if (!isWhole || !isFused({ x, cos, sin })) return plainRotate(x, cos, sin);
  return tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([cos, sin]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [cos, sin] = saved as [tf.Tensor, tf.Tensor];
      return runFused('Rotate', { x: dy, cos, sin }, { sign: -1 })![0]!;
    };
    return { value: runFused('Rotate', { x: x as tf.Tensor, cos, sin }, { sign: 1 })![0]!, gradFunc };
  })(x);
}

function plainRotate(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const half = cos.shape[3]!;
  const rest = x.shape[3]! - 2 * half;
  const parts = rest === 0 ? tf.split(x, 2, 3) : tf.split(x, [half, half, rest], 3);
  const [a, b] = parts as [tf.Tensor, tf.Tensor];
  const rotated = [sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))];
  return tf.concat([...rotated, ...parts.slice(2)], 3);
}
