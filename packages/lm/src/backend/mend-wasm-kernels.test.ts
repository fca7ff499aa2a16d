import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { tokenLogProbabilities } from '../layers/token-log-probabilities.js';
import { activate } from './choose-backend.js';

/** Runs the same program on wasm and on the cpu backend, which has every tfjs kernel. */
async function onBoth(program: () => tf.Tensor): Promise<[number[], number[]]> {
  const results: number[][] = [];
  for (const backend of ['wasm', 'cpu'] as const) {
    await activate(backend);
    const before = tf.memory().numTensors;
    const tensor = tf.tidy(program);
    results.push([...tensor.dataSync()]);
    tensor.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }
  return results as [number[], number[]];
}

const values = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number) {
  expect(actual).toHaveLength(expected.length);
  expect(Math.max(...actual.map((value, index) => Math.abs(value - expected[index]!)))).toBeLessThan(tolerance);
}

test.each([
  [[70, 40], [40, 50], false, false],
  [[40, 70], [40, 50], true, false],
  [[70, 40], [50, 40], false, true],
  [[40, 70], [50, 40], true, true],
  [[3, 70, 40], [3, 50, 40], false, true],
  [[3, 40, 70], [1, 40, 50], true, false],
  [[1, 70, 40], [4, 40, 50], false, false],
  [[2, 3, 70, 40], [2, 3, 40, 50], false, false],
  [[2, 3, 4, 5], [2, 3, 5, 4], false, false],
  [[2, 1, 4], [2, 5, 4], false, true],
  [[30, 900], [30, 20], true, false],
  [[2, 30, 900], [2, 30, 20], true, false],
  [[20, 30], [900, 30], false, true],
  [[1, 1, 30, 900], [1, 1, 20, 30], true, true],
])('matMul of %j and %j, transposed %s and %s', async (a, b, transposeA, transposeB) => {
  const [wasm, cpu] = await onBoth(() => tf.matMul(values(a, 1), values(b, 2), transposeA, transposeB));
  expectClose(wasm, cpu, 1e-4);
});

test('matMul gradients', async () => {
  const gradient = () => {
    const [da, db] = tf.grads((a, b) => tf.sum(tf.square(tf.matMul(a!, b!, false, true))))([
      values([2, 70, 40], 1),
      values([2, 50, 40], 2),
    ]);
    return tf.concat([tf.reshape(da!, [-1]), tf.reshape(db!, [-1])]);
  };
  const [wasm, cpu] = await onBoth(gradient);
  expectClose(wasm, cpu, 2e-2);
});

test('oneHot in float32, and the gradient of gather', async () => {
  const [hot, reference] = await onBoth(() => tf.oneHot(tf.tensor1d([1, 0, 3, 7], 'int32'), 4, 1, 0, 'float32'));
  expect(hot).toEqual(reference);
  const gradient = () =>
    tf.grad((table) => tf.sum(tf.square(tf.gather(table, tf.tensor1d([2, 0, 2], 'int32')))))(values([4, 3], 5));
  const [wasm, cpu] = await onBoth(gradient);
  expectClose(wasm, cpu, 1e-5);
});

test('views of operands do not free memory of the whole tensor', async () => {
  await activate('wasm');
  const a = values([3, 70, 40], 1);
  const expected = [...a.dataSync()];
  for (let round = 0; round < 50; round++)
    tf.tidy(() => tf.matMul(a, values([3, 50, 40], round), false, true).dataSync());
  expect([...a.dataSync()]).toEqual(expected);
  a.dispose();
});

test.each([
  [[5, 7, 3], [1], false],
  [[5, 7, 3], [-1], true],
  [[5, 7, 3], [0, 1], false],
  [[5, 7, 3], [0, 2], true],
  [[5, 7, 3], undefined, false],
  [[4, 1], [0], true],
  [[0, 3], [0], false],
])('sum and mean of %j over %j, dimensions kept: %s', async (shape, axes, keepDims) => {
  const shapes: number[][] = [];
  for (const reduce of [tf.sum, tf.mean]) {
    const [wasm, cpu] = await onBoth(() => {
      const result = reduce(values(shape, 4), axes, keepDims);
      shapes.push(result.shape);
      return result;
    });
    expect(shapes.at(-1)).toEqual(shapes.at(-2));
    if (shape.includes(0) && reduce === tf.mean) continue; // 0 / 0
    if (cpu.length > 0) expectClose(wasm, cpu, 1e-5);
  }
});

test('sums of integers stay integers', async () => {
  const [wasm, cpu] = await onBoth(() => tf.sum(tf.tensor2d([1, 2, 3, 4], [2, 2], 'int32'), 1));
  expect(wasm).toEqual(cpu);
});

test('log-probabilities over 151,936 words differ from float64 by less than 1e-5', async () => {
  await activate('wasm');
  const [rows, words] = [3, 151_936];
  const logits = tf.randomNormal<tf.Rank.R2>([rows, words], 0, 3, 'float32', 6);
  const ids = tf.tensor1d([5, 70_000, 151_935], 'int32');
  const found = tokenLogProbabilities(logits, ids);
  const numbers = logits.dataSync<'float32'>();
  found.dataSync().forEach((value, row) => {
    const scores = numbers.subarray(row * words, (row + 1) * words);
    const exact = scores[ids.dataSync()[row]!]! - Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
    expect(Math.abs(value - exact)).toBeLessThan(1e-5);
  });
  tf.dispose([logits, ids, found]);
});

test.each([
  [
    [6, 5],
    [1, 2],
    [3, 3],
  ],
  [
    [6, 5],
    [2, 0],
    [3, 5],
  ],
  [
    [4, 6, 5],
    [1, 2, 0],
    [2, 3, 5],
  ],
  [
    [3, 4, 6, 5],
    [1, 0, 2, 1],
    [2, 4, 1, 3],
  ],
  [[7], [2], [4]],
  [
    [3, 4],
    [1, 1],
    [0, 2],
  ],
])('a slice of %j from %j of size %j', async (shape, begin, size) => {
  const [wasm, cpu] = await onBoth(() => tf.slice(values(shape, 3), begin, size));
  expect(wasm).toEqual(cpu);
});

test('copies of a tensor share its memory, and it is freed with the last of them', async () => {
  await activate('wasm');
  const buffers = tf.memory().numDataBuffers;
  const first = values([10, 10], 1);
  const second = tf.clone(first);
  expect(tf.memory().numDataBuffers - buffers).toBe(1);
  const numbers = [...first.dataSync()];
  first.dispose();
  tf.tidy(() => void tf.zeros([10, 10])); // would take the memory if it were free
  expect([...second.dataSync()]).toEqual(numbers);
  second.dispose();
  expect(tf.memory().numDataBuffers).toBe(buffers);
});
