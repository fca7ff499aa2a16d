import { readFileSync } from 'node:fs';
import { InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inclusionProbabilities } from './inclusion-probabilities.js';

const golden = JSON.parse(readFileSync(new URL('../../../../tests/golden/golden.json', import.meta.url), 'utf8')) as {
  without_replacement: { p: number[]; size: number; inclusion_probability: number[] };
};

/** Enumerates all ordered outcomes, by the set of positions drawn so far. */
function enumerate(weights: readonly number[], count: number): number[] {
  const chances = new Array<number>(weights.length).fill(0);
  let sets = new Map([[0, 1]]);
  for (let draw = 0; draw < count; draw++) {
    const next = new Map<number, number>();
    for (const [set, chance] of sets) {
      let left = 0;
      weights.forEach((weight, position) => {
        if (!(set & (1 << position))) left += weight;
      });
      weights.forEach((weight, position) => {
        if (weight === 0 || set & (1 << position)) return;
        const now = (chance * weight) / left;
        chances[position]! += now;
        next.set(set | (1 << position), (next.get(set | (1 << position)) ?? 0) + now);
      });
    }
    sets = next;
  }
  return chances;
}

test('equals the enumeration of numpy’s distribution', () => {
  const { p, size, inclusion_probability } = golden.without_replacement;
  inclusionProbabilities(p, size).forEach((chance, position) => {
    expect(Math.abs(chance - inclusion_probability[position]!)).toBeLessThan(1e-9);
  });
});

test('equals exact enumeration for any few weights, over six decades', () => {
  const weight = fc.oneof(
    fc.constant(0),
    fc.constant(1),
    fc.double({ min: -3, max: 3, noNaN: true }).map((x) => 10 ** x),
  );
  const cases = fc.array(weight, { minLength: 1, maxLength: 11 }).filter((list) => list.some((w) => w > 0));
  fc.assert(
    fc.property(cases, fc.nat(), (weights, at) => {
      const possible = weights.filter((w) => w > 0).length;
      const count = at % (possible + 1);
      const chances = inclusionProbabilities(weights, count);
      enumerate(weights, count).forEach((chance, position) => {
        expect(Math.abs(chances[position]! - chance)).toBeLessThan(1e-8);
      });
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('equal weights have equal probabilities, and probabilities sum to the count', () => {
  for (const [size, count] of [
    [1000, 1],
    [1000, 137],
    [1000, 999],
    [3000, 1500],
  ] as const) {
    for (const chance of inclusionProbabilities(new Float64Array(size).fill(3), count)) {
      expect(Math.abs(chance - count / size)).toBeLessThan(1e-9);
    }
    const weights = Float64Array.from({ length: size }, (_, position) => Math.exp(3 * Math.sin(position)));
    const sum = inclusionProbabilities(weights, count).reduce((total, chance) => total + chance, 0);
    expect(Math.abs(sum / count - 1)).toBeLessThan(1e-9);
  }
});

test('two groups of weights: equals a recursion over the number of draws in each', () => {
  const [heavy, light, size, count] = [7, 0.3, 200, 60]; // of each, 100
  // states[h] is the probability that h of the draws so far were heavy
  let states = new Float64Array(count + 1);
  states[0] = 1;
  for (let draw = 0; draw < count; draw++) {
    const next = new Float64Array(count + 1);
    for (let drawn = 0; drawn <= draw; drawn++) {
      const heavyLeft = heavy * (size / 2 - drawn);
      const share = heavyLeft / (heavyLeft + light * (size / 2 - (draw - drawn)));
      next[drawn + 1] = (next[drawn + 1] ?? 0) + states[drawn]! * share;
      next[drawn] = next[drawn]! + states[drawn]! * (1 - share);
    }
    states = next;
  }
  const expected = states.reduce((sum, chance, drawn) => sum + (chance * drawn) / (size / 2), 0);
  const weights = Float64Array.from({ length: size }, (_, position) => (position % 2 === 0 ? heavy : light));
  const chances = inclusionProbabilities(weights, count);
  expect(Math.abs(chances[0]! - expected)).toBeLessThan(1e-9);
  expect(Math.abs(chances[1]! - (count / (size / 2) - expected))).toBeLessThan(1e-9);
});

test('refuses invalid arguments', () => {
  expect(() => inclusionProbabilities([1, 0], 2)).toThrow('1 of 2 are');
  expect(() => inclusionProbabilities([1, -1], 1)).toThrow('weight -1 at position 1');
  expect(() => inclusionProbabilities([Number.NaN], 1)).toThrow(InvalidWeightsError);
  expect(() => inclusionProbabilities([1], 0.5)).toThrow(InvalidArgumentError);
  expect(Array.from(inclusionProbabilities([0, 2], 0))).toEqual([0, 0]);
  expect(Array.from(inclusionProbabilities([0, 2, 3], 2))).toEqual([0, 1, 1]);
});
