import { type Matrix, type Metric, RarefyError, selfJoin, type WorkEvent } from '@rarefy/core';
import { clusters, neighborIndexChecks, normalPoints, rowsOf } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { exactIndex } from '../../exact/exact.js';
import { tfjsIndex } from './tfjs-index.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

beforeAll(() => tf.setBackend('cpu').then(() => undefined));

for (const metric of metrics) {
  describeChecks(
    `tfjsIndex on cpu, ${metric}`,
    neighborIndexChecks({
      create: () => tfjsIndex({ metric }),
      fingerprint: `tfjs-index:metric=${metric},exact`,
    }),
  );
}

test('equals exactIndex to the bit on rows that are hard for float32, in blocks, and leaves no tensor', async () => {
  const plain = normalPoints(120, 7, 1);
  const scaled = (value: (x: number, at: number) => number): Matrix => ({ ...plain, data: plain.data.map(value) });
  const sets = [
    plain,
    scaled((x) => Math.round(x)),
    rowsOf(
      plain,
      [...Array(120).keys()].map((row) => row % 40),
    ),
    rowsOf(plain, Array(90).fill(3)),
    scaled((x) => 1000 + 1e-3 * x),
    scaled((x) => 1e-30 * x),
    scaled((x) => 1e17 * x),
    scaled((x, at) => (Math.floor(at / 7) % 4 === 0 ? 0 : x)),
  ];
  const before = tf.memory().numTensors;
  for (const metric of metrics) {
    for (const points of sets) {
      const expected = await selfJoin(exactIndex({ metric }), points, { k: 6 });
      const index = await tfjsIndex({ metric, blockRows: 50 });
      expect(await selfJoin(index, points, { k: 6 })).toEqual(expected);
      await index[Symbol.asyncDispose]();
    }
  }
  expect(tf.memory().numTensors).toBe(before);
});

test('blocks without rows are refused', async () => {
  for (const blockRows of [0, -1, 1.5, Number.NaN]) {
    await expect(tfjsIndex({ blockRows })).rejects.toThrow(`blockRows must be an integer ≥ 1, got ${blockRows}`);
  }
});

test('a search keeps no tensor', async () => {
  const index = await tfjsIndex();
  const points = normalPoints(60, 5, 2);
  await index.add(points);
  await index.search(points, { k: 3 });
  const held = tf.memory().numTensors;
  for (let time = 0; time < 5; time++) await index.search(points, { k: 3 });
  await index.selfJoin!({ k: 4 });
  expect(tf.memory().numTensors).toBe(held);
  await index[Symbol.asyncDispose]();
});

describe('a backend of unknown precision', () => {
  beforeAll(() => {
    // The cpu backend with products rounded to 4 decimal digits, as on a GPU.
    tf.copyRegisteredKernels('cpu', 'coarse');
    const product = tf.getKernel('BatchMatMul', 'cpu').kernelFunc;
    tf.unregisterKernel('BatchMatMul', 'coarse');
    tf.registerKernel({
      kernelName: 'BatchMatMul',
      backendName: 'coarse',
      kernelFunc(args) {
        const out = product(args) as tf.TensorInfo;
        const { values } = (args.backend as CpuBackend).data.get(out.dataId);
        values.forEach((value, at) => {
          values[at] = Math.round(value * 1e4) / 1e4;
        });
        return out;
      },
    });
    const Cpu = tf.findBackend('cpu').constructor as new () => tf.KernelBackend;
    tf.registerBackend('coarse', () => new Cpu());
  });
  beforeEach(() => tf.setBackend('coarse').then(() => undefined));
  afterEach(() => tf.setBackend('cpu').then(() => undefined));

  describeChecks('tfjsIndex', neighborIndexChecks({ create: () => tfjsIndex() }));

  test('is not exact, and reports its recall', async () => {
    const index = await tfjsIndex();
    expect(index.capabilities.exact).toBe(false);
    expect(index.fingerprint).toBe('tfjs-index:metric=euclidean,backend=coarse');
    const points = clusters([0.2, 0.4], 100, 16, 5);
    const warnings: string[] = [];
    const onEvent = (event: WorkEvent) => event.type === 'work-warning' && warnings.push(event.code);
    expect((await selfJoin(index, points, { k: 10, onEvent })).recall).toEqual({ value: 1, sampledRows: 200 });
    // Rows so near to each other that these products cannot distinguish them.
    const near = { ...points, data: points.data.map((value, at) => 1 + 1e-4 * value * (at % 7)) };
    const { recall } = await selfJoin(await tfjsIndex(), near, { k: 10, onEvent });
    expect(recall!.value).toBeLessThan(0.95);
    expect(warnings).toEqual(['low-recall']);
  });

  test('an index works only on the backend that it was created on', async () => {
    const index = await tfjsIndex();
    await index.add(normalPoints(10, 3, 3));
    await tf.setBackend('cpu');
    await expect(index.search(normalPoints(1, 3, 4), { k: 1 })).rejects.toBeInstanceOf(RarefyError);
    await expect(index.search(normalPoints(1, 3, 4), { k: 1 })).rejects.toThrow("call tf.setBackend('coarse')");
  });
});

interface CpuBackend {
  readonly data: { get(id: tf.DataId): { readonly values: Float32Array } };
}
