import type { WasmBackend } from '@rarefy/lm-wasm';
import { runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { attention } from '../layers/attention.js';
import { activation, layerNorm } from '../layers/basic-layers.js';
import { rotate } from '../layers/rotary.js';
import { tokenLogProbabilities, tokenStatistics } from '../layers/token-log-probabilities.js';
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
  [[2, 1, 3, 4], [1, 2, 4, 5], false, false],
  [[1, 1, 30, 40], [3, 40, 20], false, false],
  [[1, 3, 0], [1, 0, 2], false, false],
  [[2, 0, 3], [2, 3, 2], false, false],
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

test('products while the heap grows, so that views of it become invalid', async () => {
  await activate('wasm');
  const [a, b] = [values([90, 300], 1), values([70, 300], 2)];
  const expected = tf.tidy(() => [...tf.matMul(a, b, false, true).dataSync()]);
  const heap = () => (tf.backend() as unknown as WasmBackend).wasm.HEAPU8.buffer;
  const before = heap();
  const large: tf.Tensor[] = [];
  while (heap() === before) large.push(tf.zeros([2 ** 22]));
  expect(tf.tidy(() => [...tf.matMul(a, b, false, true).dataSync()])).toEqual(expected);
  tf.dispose([a, b, large]);
});

test('the gradients of layers and log-probabilities with fused kernels are those of tfjs ops', async () => {
  const ids = [3, 0, 96, 5, 5, 41];
  const [wasm, cpu] = await onBoth(() => {
    const gradients = tf.grads((x, weight, bias, head) => {
      const hidden = activation('gelu_new')(layerNorm(x!, weight!, bias!, 1e-5));
      const { logProbabilities, entropies } = tokenStatistics(
        tf.matMul(hidden, head!) as tf.Tensor2D,
        tf.tensor1d(ids, 'int32'),
        0.8,
      );
      return tf.add(tf.sum(tf.mul(logProbabilities, values([6], 8))), tf.mul(tf.sum(entropies), 0.1));
    })([values([6, 50], 1), values([50], 2), values([50], 3), values([50, 97], 4)]);
    return tf.concat(gradients.map((gradient) => tf.reshape(gradient, [-1])));
  });
  expectClose(wasm, cpu, 3e-5);
});

test('the gradients of attention with rotated heads are those of tfjs ops', async () => {
  const [batch, heads, length, headSize] = [2, 4, 7, 10];
  const [wasm, cpu] = await onBoth(() => {
    const bias = tf.mul(tf.cast(tf.greater(values([batch, 1, length, length], 9), 0.5), 'float32'), -1e9) as tf.Tensor;
    const angles = values([batch, 1, length, 4], 8);
    const gradients = tf.grads((query, key, value) => {
      const rotated = [query!, key!].map((x) => rotate(x, tf.cos(angles), tf.sin(angles)));
      const mixed = attention(rotated[0]!, rotated[1]!, value!, bias, 0.4);
      return tf.sum(tf.mul(mixed, values([batch, length, heads * headSize], 7)));
    })([
      values([batch, heads, length, headSize], 1),
      values([batch, heads / 2, length, headSize], 2),
      values([batch, heads / 2, length, headSize], 3),
    ]);
    return tf.concat(gradients.map((gradient) => tf.reshape(gradient, [-1])));
  });
  expectClose(wasm, cpu, 2e-5);
});

test('fused kernels belong to the wasm backend and to float32', async () => {
  await activate('wasm');
  const before = tf.memory().numTensors;
  const [numbers, integers] = [tf.ones([3]), tf.ones([3], 'int32')];
  const found = runFused('SumOfSquares', { x: numbers }, {});
  expect(found![0]!.dataSync()[0]).toBe(3);
  expect(runFused('SumOfSquares', { x: integers }, {})).toBeUndefined();
  tf.dispose([numbers, integers, found!]);
  expect(tf.memory().numTensors).toBe(before);
  await activate('cpu');
  expect(tf.tidy(() => runFused('SumOfSquares', { x: tf.ones([3]) }, {}))).toBeUndefined();
});

test.each([
  [[6, 5], 2, 0],
  [[5, 6], [1, 2, 3], 1],
  [[2, 4, 3], 2, -2],
] as [number[], number | number[], number][])('a split of %j into %j along axis %j', async (shape, parts, axis) => {
  const split = (index: number) => () => tf.split(values(shape, 3), parts, axis)[index]!;
  for (const index of [0, 1]) {
    const [wasm, cpu] = await onBoth(split(index));
    expect(wasm).toEqual(cpu);
  }
});

test('rows of a table, and ids that are out of range', async () => {
  for (const table of [() => values([5, 3], 1), () => tf.reshape(tf.range(0, 20, 1, 'int32'), [5, 2, 2])]) {
    const ids = [4, 0, 0, 2];
    const [wasm, cpu] = await onBoth(() => tf.gather(table(), tf.tensor2d(ids, [2, 2], 'int32')));
    expect(wasm).toEqual(cpu);
  }
  const [wasm, cpu] = await onBoth(() => tf.gather(values([5, 3], 1), tf.tensor1d([2, 1], 'int32'), 1));
  expect(wasm).toEqual(cpu);
  await activate('wasm');
  expect(() => tf.tidy(() => tf.gather(values([5, 3], 1), tf.tensor1d([5], 'int32')))).toThrow('not in [0, 4]');
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
