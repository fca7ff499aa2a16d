import { readFileSync } from 'node:fs';
import { counterRandom, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { drawWithoutReplacement } from './exponential-keys.js';
import { sampleStream } from './sample-stream.js';
import { type SumTree, sumTree } from './sum-tree.js';

const golden = JSON.parse(readFileSync(new URL('../../../../tests/golden/golden.json', import.meta.url), 'utf8')) as {
  without_replacement: { p: number[]; size: number; inclusion_probability: number[] };
};

const float64 = (...values: number[]) => Float64Array.from(values);

const keyRandom = counterRandom(11);
const treeRandom = counterRandom(12);
const trees = new Map<Float64Array, SumTree>(); // one tree per array of weights

/** The ways of drawing `count` positions one after the other without replacement; `sample` numbers the samples. */
const methods = {
  'exponential keys'(weights: Float64Array, count: number, sample: number) {
    return Array.from(drawWithoutReplacement(weights, count, keyRandom, weights.length * sample));
  },
  'exponential jumps': (weights: Float64Array, count: number, sample: number) =>
    sampleStream(weights.keys(), { count, weight: (position) => weights[position]!, seed: sample }),
  'a sum tree, with each drawn weight set to 0'(weights: Float64Array, count: number, sample: number) {
    if (trees.get(weights) === undefined) trees.set(weights, sumTree(weights));
    const tree = trees.get(weights)!;
    tree.updateAll(Int32Array.from(weights.keys()), weights);
    return Array.from({ length: count }, (_, draw) => {
      const position = tree.find(treeRandom.uniform(sample * count + draw));
      tree.update(position, 0);
      return position;
    });
  },
};

describe.each(Object.entries(methods))('the distribution of successive sampling, by %s', (_, method) => {
  const samples = casesOf(100_000, 1_000_000);

  test('all 60 ordered outcomes of 3 of 5 have their probability (chi-square, 59 degrees, false alarm below 1e-6)', async () => {
    const weights = float64(5, 1, 0.3, 2, 1.7);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = new Map<string, number>();
    for (let sample = 0; sample < samples; sample++) {
      const outcome = (await method(weights, 3, sample)).join();
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    let statistic = 0;
    let outcomes = 0;
    for (let a = 0; a < 5; a++) {
      for (let b = 0; b < 5; b++) {
        for (let c = 0; c < 5; c++) {
          if (a === b || b === c || a === c) continue;
          const [x, y, z] = [weights[a]!, weights[b]!, weights[c]!];
          const expected = samples * (x / total) * (y / (total - x)) * (z / (total - x - y));
          statistic += ((counts.get(`${a},${b},${c}`) ?? 0) - expected) ** 2 / expected;
          outcomes++;
        }
      }
    }
    expect(outcomes).toBe(60);
    expect(statistic).toBeLessThan(124); // the 1 - 1e-6 quantile at 59 degrees is 123.2
  });

  test('each row is included as often as exact enumeration says (six standard errors, false alarm below 1e-7)', async () => {
    const { p, size, inclusion_probability } = golden.without_replacement;
    const weights = Float64Array.from(p);
    const counts = new Float64Array(p.length);
    for (let sample = 0; sample < samples; sample++) {
      for (const position of await method(weights, size, sample)) counts[position]!++;
    }
    inclusion_probability.forEach((probability, position) => {
      const deviation = Math.sqrt(samples * probability * (1 - probability));
      expect(Math.abs(counts[position]! - samples * probability)).toBeLessThan(6 * deviation);
    });
  });
});

test('many positions are ordered by their waiting times, like few', () => {
  const random = counterRandom(21);
  const weights = Float64Array.from({ length: 100_000 }, (_, position) => (position % 5) * 10 ** (position % 7));
  const waits = Float64Array.from(weights, (weight, position) => -Math.log1p(-random.uniform(position)) / weight);
  const expected = Array.from(weights.keys())
    .filter((position) => weights[position]! > 0)
    .sort((a, b) => waits[a]! - waits[b]!);
  expect(Array.from(drawWithoutReplacement(weights, 30_000, random))).toEqual(expected.slice(0, 30_000));
  expect(Array.from(drawWithoutReplacement(weights, 80_000, random))).toEqual(expected);
});

test('weights ten orders of magnitude beyond the range of a quotient', () => {
  const weights = float64(1e300, 1e-300, 2e300, 0, 5e-324, 1e-300);
  const draws = Array.from(drawWithoutReplacement(weights, 5, counterRandom(4)));
  expect(draws.slice(0, 2).sort()).toEqual([0, 2]);
  expect(draws.slice(2, 4).sort()).toEqual([1, 5]);
  expect(draws[4]).toBe(4);
});

test('the scale of the weights does not matter, from the smallest to the largest float64 numbers', () => {
  const plain = drawWithoutReplacement(float64(3, 1, 4, 1, 5, 9, 2, 6), 8, counterRandom(1));
  for (const scale of [2 ** -1070, 2 ** 1019]) {
    const scaled = drawWithoutReplacement(
      float64(3, 1, 4, 1, 5, 9, 2, 6).map((w) => w * scale),
      8,
      counterRandom(1),
    );
    expect(scaled).toEqual(plain);
  }
});

test('draws are different positions of weight above 0, and fewer draws are a prefix of more draws', () => {
  const weightLists = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e300, noNaN: true })), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(weightLists, fc.nat(), fc.integer(), (list, size, seed) => {
      const weights = Float64Array.from(list);
      const possible = list.filter((weight) => weight > 0).length;
      const all = drawWithoutReplacement(weights, possible, counterRandom(seed));
      expect(new Set(all).size).toBe(possible);
      for (const position of all) expect(weights[position]).toBeGreaterThan(0);
      const count = size % (possible + 1);
      expect(drawWithoutReplacement(weights, count, counterRandom(seed))).toEqual(all.slice(0, count));
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('the waiting time of a position does not depend on other positions', () => {
  const draws = drawWithoutReplacement(float64(1, 1, 1, 1, 1, 1), 6, counterRandom(3));
  const without = drawWithoutReplacement(float64(1, 1, 0, 1, 1, 1), 5, counterRandom(3));
  expect(Array.from(without)).toEqual(Array.from(draws).filter((position) => position !== 2));
});

test('a uniform of 0 is a waiting time of 0, and never draws a zero weight', () => {
  const zeros = { uniform: () => 0, fill: (_: number, out: Float64Array) => void out.fill(0), fork: () => zeros };
  expect(Array.from(drawWithoutReplacement(float64(0, 3, 0, 1e-300), 2, zeros))).toEqual([1, 3]);
});

test('refuses invalid weights and counts, naming counts and positions', () => {
  const random = counterRandom(1);
  expect(() => drawWithoutReplacement(float64(1, 0, 2, 0), 3, random)).toThrow(
    '3 draws without replacement need 3 weights above 0, and 2 of 4 are',
  );
  expect(() => drawWithoutReplacement(float64(0, 0), 1, random)).toThrow(InvalidWeightsError);
  expect(() => drawWithoutReplacement(float64(1, -1), 1, random)).toThrow('weight -1 at position 1');
  expect(() => drawWithoutReplacement(float64(Number.NaN), 1, random)).toThrow('weight NaN at position 0');
  for (const count of [-1, 1.5, Number.NaN]) {
    expect(() => drawWithoutReplacement(float64(1), count, random)).toThrow(InvalidArgumentError);
  }
  expect(drawWithoutReplacement(float64(), 0, random).length).toBe(0);
});
