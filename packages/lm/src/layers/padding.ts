import * as tf from '@tensorflow/tfjs-core';

/** A batch of token rows: two int32 tensors [rows, longest]; the mask is 1 for real tokens and 0 for padding. */
export interface PaddedBatch {
  readonly ids: tf.Tensor2D;
  readonly mask: tf.Tensor2D;
}

/** Pads on the left, for generation: the last token of every row is in the last column. */
export function padLeft(rows: readonly ArrayLike<number>[]): PaddedBatch {
  return pad(rows, (length, longest) => longest - length);
}

/** Pads on the right, for training and embedding. */
export function padRight(rows: readonly ArrayLike<number>[]): PaddedBatch {
  return pad(rows, () => 0);
}

function pad(rows: readonly ArrayLike<number>[], start: (length: number, longest: number) => number): PaddedBatch {
  const longest = rows.reduce((length, row) => Math.max(length, row.length), 1);
  const ids = new Int32Array(rows.length * longest); // padding has id 0, which may be a real token; the mask marks it
  const mask = new Int32Array(rows.length * longest);
  rows.forEach((row, index) => {
    const from = index * longest + start(row.length, longest);
    ids.set(row, from);
    mask.fill(1, from, from + row.length);
  });
  return {
    ids: tf.tensor2d(ids, [rows.length, longest], 'int32'),
    mask: tf.tensor2d(mask, [rows.length, longest], 'int32'),
  };
}
