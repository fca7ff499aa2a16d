import { readFileSync } from 'node:fs';
import { embed, InputError, InvalidArgumentError, type Matrix, RarefyError } from '@rarefy/core';
import { activate } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { universalSentenceEncoder } from './universal-sentence-encoder.js';

const golden = JSON.parse(
  readFileSync(new URL('../../../../tests/golden/universal-sentence-encoder.json', import.meta.url), 'utf8'),
) as { texts: string[]; embeddings: number[][] };

describeOnBackends('the sentence encoder', () => {
  let encoder: Awaited<ReturnType<typeof universalSentenceEncoder>>;
  let tensorsBefore = 0;
  let backend = '';
  beforeAll(async () => {
    backend = tf.getBackend();
    tensorsBefore = tf.memory().numTensors;
    encoder = await universalSentenceEncoder();
  });
  afterAll(async () => {
    await encoder[Symbol.asyncDispose]();
    await encoder[Symbol.asyncDispose]();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    await expect(encoder.embedBatch(['late'])).rejects.toThrow(RarefyError);
  });

  test('equals the reference embeddings with any batch size', async () => {
    for (const batchSize of [1, 5, 16]) {
      const rows = await embed(encoder, golden.texts, { batchSize });
      expect(largestDifference(rows, golden.embeddings.flat())).toBeLessThan(1e-5);
    }
    expect(tf.getBackend()).toBe(backend);
  });

  test('a text alone equals the text in a batch within batchTolerance; rows have length 1; repeats are equal', async () => {
    const together = await embed(encoder, golden.texts);
    expect((await embed(encoder, golden.texts)).data).toEqual(together.data);
    const alone = await embed(encoder, golden.texts, { batchSize: 1 });
    expect(largestDifference(together, alone.data)).toBeLessThanOrEqual(encoder.capabilities.batchTolerance);
    for (let row = 0; row < together.rows; row++) {
      expect(Math.hypot(...together.data.subarray(row * 512, (row + 1) * 512))).toBeCloseTo(1, 5);
    }
  });

  test('every text gets its own row: empty, blank, lone surrogate, very long', async () => {
    const long = 'word '.repeat(20_000);
    const { embeddings, truncated } = await encoder.embedBatch([
      '',
      'sea',
      ' ',
      '\ud800',
      long,
      words(128),
      words(129),
    ]);
    expect([embeddings.rows, embeddings.data.length]).toEqual([7, 7 * 512]);
    expect([...truncated!]).toEqual([4, 6]);
    const row = (index: number) => embeddings.data.subarray(index * 512, (index + 1) * 512);
    expect(row(0)).toEqual(row(2));
    expect(largestDifference({ data: row(4), rows: 1, cols: 512 }, row(5))).toBeLessThan(1e-6);
    expect(largestDifference({ data: row(1), rows: 1, cols: 512 }, (await embed(encoder, ['sea'])).data)).toBeLessThan(
      2e-6,
    );
    expect((await encoder.embedBatch([])).embeddings).toEqual({ data: new Float32Array(0), rows: 0, cols: 512 });
  });

  test('no tensor leaks, even after an abort', async () => {
    const count = tf.memory().numTensors;
    await embed(encoder, golden.texts, { batchSize: 4 });
    const reason = new Error('stop');
    const controller = new AbortController();
    const pending = encoder.embedBatch(golden.texts, { signal: controller.signal });
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(tf.memory().numTensors).toBe(count);
  });
});

test('the backend is unchanged, and a convolution still trains on it, which wasm cannot do', async () => {
  await activate('cpu');
  await using encoder = await universalSentenceEncoder();
  await encoder.embedBatch(['sea']);
  expect(tf.getBackend()).toBe('cpu');
  const images = tf.randomUniform<tf.Rank.R4>([2, 6, 6, 1], 0, 1, 'float32', 1);
  const filter = tf.variable(tf.randomNormal<tf.Rank.R4>([3, 3, 1, 2], 0, 0.1, 'float32', 2));
  const optimizer = tf.train.sgd(0.05);
  const loss = () => tf.mean(tf.square(tf.sub(tf.conv2d(images, filter, 1, 'same'), 1))) as tf.Scalar;
  const losses = Array.from({ length: 5 }, () => {
    const value = optimizer.minimize(loss, true, [filter])!;
    const [number] = value.dataSync();
    value.dispose();
    return number!;
  });
  expect(losses).toEqual(losses.toSorted((a, b) => b - a));
  expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]!);
  tf.dispose([images, filter]);
});

test('wrong options and missing files are errors', async () => {
  await expect(universalSentenceEncoder({ batchSize: 0 })).rejects.toThrow(InvalidArgumentError);
  await expect(universalSentenceEncoder({ folder: '/nowhere' })).rejects.toThrow(InputError);
});

function words(count: number): string {
  return Array.from({ length: count }, () => 'word').join(' ');
}

function largestDifference({ data }: Matrix, expected: ArrayLike<number>): number {
  expect(data.length).toBe(expected.length);
  return data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - expected[index]!)), 0);
}
