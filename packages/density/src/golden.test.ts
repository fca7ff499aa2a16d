import { fileURLToPath } from 'node:url';
import type { Matrix } from '@rarefy/core';
import { readSafetensors, type StoredTensor, toFloat32, toFloat64 } from '@rarefy/io';
import { type ExactEngine, exactIndex } from '@rarefy/neighbors/exact';
import { beforeAll, describe, expect, test } from 'vitest';
import { inverseDensity, knnDistance, knnSimilarity } from './index.js';

// 597 rows, four of them equal, with outliers; the values are scikit-learn's and faiss's.
const path = fileURLToPath(new URL('../../../tests/golden/density.safetensors', import.meta.url));
let tensor: (name: string) => StoredTensor;
let points: Matrix;

beforeAll(async () => {
  const { tensors } = await readSafetensors(path);
  tensor = (name) => tensors.get(name)!;
  const [rows, cols] = tensor('x').shape as [number, number];
  points = { data: toFloat32(tensor('x')), rows, cols };
});

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-5) {
  expect(actual.length).toBe(expected.length);
  for (let row = 0; row < expected.length; row++) {
    expect(Math.abs(actual[row]! - expected[row]!)).toBeLessThanOrEqual(relative * Math.abs(expected[row]!));
  }
}

describe.each<ExactEngine>(['wasm', 'typescript', 'auto'])('%s engine', (engine) => {
  test('mean distance to the 10 nearest others', async () => {
    const density = await knnDistance({ k: 10, index: () => exactIndex({ engine }) }).fit(points);
    expectClose(
      density.map((value) => 1 / value - 1e-6),
      toFloat64(tensor('mean_knn_distance_k10')),
    );
  });

  test('density of the view: 9 neighbors', async () => {
    expectClose(
      await knnDistance({ k: 9, index: () => exactIndex({ engine }) }).fit(points),
      toFloat64(tensor('viz_density_k10')),
    );
  });

  test('mean inner product with the 20 nearest others, and the probabilities of the subset', async () => {
    const density = await knnSimilarity({ k: 20, index: () => exactIndex({ metric: 'dot', engine }) }).fit(points);
    expectClose(density, toFloat64(tensor('mean_ip_similarity_k20')));
    const weights = inverseDensity({ epsilon: 1e-3 })(density);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expectClose(
      weights.map((weight) => weight / total),
      toFloat64(tensor('inverse_similarity_weights')),
    );
  });
});
