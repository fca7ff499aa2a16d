import { readFileSync } from 'node:fs';
import { counterRandom, type Matrix } from '@rarefy/core';
import { inverseDensity, knnDistance, knnSimilarity } from '@rarefy/density';
import { readSafetensors, type StoredTensor, toFloat32, toFloat64 } from '@rarefy/io';
import { drawWithoutReplacement, inclusionProbabilities } from '@rarefy/samplers';
import { viewDensity } from '@rarefy/viz';
import { beforeAll, describe, expect, test } from 'vitest';
import { goldenJson, goldenPath } from './support/golden.js';

/** From vectors to the subset: every number is compared with scikit-learn, faiss or numpy. */
const { subsets } = JSON.parse(readFileSync(goldenPath('density-references.json'), 'utf8')) as {
  subsets: { p: number[]; size: number; samples: number; sets: number[][]; counts: number[] };
};

test('the probability to be in a subset equals the enumeration of numpy’s distribution', () => {
  const { p, size, inclusion_probability } = goldenJson().without_replacement;
  inclusionProbabilities(p, size).forEach((chance, position) => {
    expect(Math.abs(chance - inclusion_probability[position])).toBeLessThan(1e-9);
  });
});

describe('subsets of 3 of 8', () => {
  const { p, size, samples, sets, counts } = subsets;
  const drawn = new Map<string, number>();
  beforeAll(() => {
    const weights = Float64Array.from(p);
    const random = counterRandom(31);
    for (let sample = 0; sample < samples; sample++) {
      const set = drawWithoutReplacement(weights, size, random, sample * p.length)
        .sort()
        .join();
      drawn.set(set, (drawn.get(set) ?? 0) + 1);
    }
  });

  test('are as frequent as numpy’s (two-sample chi-square, 55 degrees, false alarm below 1e-6)', () => {
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(samples);
    const statistic = sets.reduce((sum, set, at) => {
      const [ours, theirs] = [drawn.get(set.join()) ?? 0, counts[at]!];
      return sum + (ours - theirs) ** 2 / (ours + theirs);
    }, 0);
    expect(sets.length).toBe(56);
    expect(statistic).toBeLessThan(120); // the 1 - 1e-6 quantile is 119.9
  });

  test('are as frequent as the distribution says (chi-square, 55 degrees, false alarm below 1e-6)', () => {
    const chanceOf = (order: readonly number[]) => {
      let [chance, left] = [1, 1];
      for (const row of order) {
        chance *= p[row]! / left;
        left -= p[row]!;
      }
      return chance;
    };
    const statistic = sets.reduce((sum, [a, b, c]) => {
      const orders = [
        [a, b, c],
        [a, c, b],
        [b, a, c],
        [b, c, a],
        [c, a, b],
        [c, b, a],
      ] as number[][];
      const expected = samples * orders.reduce((total, order) => total + chanceOf(order), 0);
      return sum + ((drawn.get([a, b, c].join()) ?? 0) - expected) ** 2 / expected;
    }, 0);
    expect(statistic).toBeLessThan(120);
  });

  test('differ from draws in proportion to the product of weights: the tests have power', () => {
    const products = sets.map((set) => set.reduce((product, row) => product * p[row]!, 1));
    const total = products.reduce((sum, product) => sum + product, 0);
    const statistic = sets.reduce((sum, set, at) => {
      const expected = (samples * products[at]!) / total;
      return sum + ((drawn.get(set.join()) ?? 0) - expected) ** 2 / expected;
    }, 0);
    expect(statistic).toBeGreaterThan(1000);
  });
});

describe('597 vectors with equal rows and outliers: within 1e-5 of scikit-learn and faiss', () => {
  let tensors: Map<string, StoredTensor>;
  let points: Matrix;
  const reference = (name: string) => toFloat64(tensors.get(name)!);
  beforeAll(async () => {
    ({ tensors } = await readSafetensors(goldenPath('density.safetensors')));
    const stored = tensors.get('x')!;
    const [rows, cols] = stored.shape as [number, number];
    points = { data: toFloat32(stored), rows, cols };
  });
  function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>) {
    expect(actual.length).toBe(597);
    for (let row = 0; row < expected.length; row++) {
      expect(Math.abs(actual[row]! - expected[row]!)).toBeLessThanOrEqual(1e-5 * Math.abs(expected[row]!));
    }
  }

  test('mean distance to 10 neighbors', async () => {
    const density = await knnDistance().fit(points);
    expectClose(
      density.map((value) => 1 / value - 1e-6),
      reference('mean_knn_distance_k10'),
    );
  });

  test('density of the view, before and after scaling', async () => {
    const expected = reference('viz_density_k10');
    expectClose(await knnDistance({ k: 9 }).fit(points), expected);
    const [least, most] = [Math.min(...expected), Math.max(...expected)];
    const scaled = await viewDensity(points);
    expect(Math.min(...scaled)).toBe(0);
    expect(Math.max(...scaled)).toBe(1);
    scaled.forEach((value, row) => {
      // Relative to the scale, because the rarest row is at 0.
      expect(Math.abs(value - (expected[row]! - least) / (most - least))).toBeLessThan(1e-5);
    });
  });

  test('mean inner product with 20 neighbors, and the probabilities of the subset', async () => {
    const density = await knnSimilarity().fit(points);
    expectClose(density, reference('mean_ip_similarity_k20'));
    const weights = inverseDensity({ epsilon: 1e-3 })(density);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expectClose(
      weights.map((weight) => weight / total),
      reference('inverse_similarity_weights'),
    );
  });
});
