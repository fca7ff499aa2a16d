import { counterRandom, InvalidArgumentError, InvalidWeightsError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawBalanced } from './balanced-draw.js';
import { estimatedInclusion, inclusionProbabilities } from './structures/inclusion-probabilities.js';

const float64 = (...values: number[]) => Float64Array.from(values);
const ints = (...values: number[]) => Int32Array.from(values);

test('groups have equal shares; a small group gives all it has, and the rest goes to the largest', () => {
  const groupOf = ints(0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 4);
  const weights = new Float64Array(14).fill(1);
  const sharesOf = (count: number) => Array.from(drawBalanced(weights, groupOf, count, counterRandom(1)).shares);
  expect(sharesOf(0)).toEqual([0, 0, 0, 0, 0]);
  expect(sharesOf(4)).toEqual([1, 1, 1, 0, 1]);
  expect(sharesOf(5)).toEqual([1, 1, 2, 0, 1]);
  expect(sharesOf(9)).toEqual([3, 2, 3, 0, 1]);
  expect(sharesOf(14)).toEqual([5, 2, 6, 0, 1]);
  weights.fill(0, 7, 11); // group 2 has two positions left
  expect(sharesOf(8)).toEqual([3, 2, 2, 0, 1]);
  expect(() => sharesOf(11)).toThrow('11 draws without replacement need 11 weights above 0, and 10 of 14 are');
});

test('any groups: different positions of weight above 0, each group with its share, in turns', () => {
  const rows = fc.array(fc.tuple(fc.nat(4), fc.nat(3)), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(rows, fc.nat(), fc.integer(), (list, size, seed) => {
      const groupOf = Int32Array.from(list, ([group]) => group);
      const weights = Float64Array.from(list, ([, weight]) => weight);
      const count = size % (list.filter(([, weight]) => weight > 0).length + 1);
      const { positions, shares, inclusion } = drawBalanced(weights, groupOf, count, counterRandom(seed));
      expect(new Set(positions).size).toBe(count);
      const seen = new Int32Array(shares.length);
      positions.forEach((position, at) => {
        expect(weights[position]).toBeGreaterThan(0);
        const group = groupOf[position]!;
        const turn = seen[group]!;
        seen[group] = turn + 1;
        if (at > 0) expect(turn).toBeGreaterThanOrEqual(seen[groupOf[positions[at - 1]!]!]! - 1);
      });
      expect(seen).toEqual(shares);
      expect(inclusion.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(count, 7);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('positions are drawn with the reported inclusion probability (six standard errors, false alarm below 1e-7)', () => {
  const weights = float64(5, 1, 0.3, 2, 1.7, 4, 0, 1);
  const groupOf = ints(0, 0, 0, 1, 1, 1, 1, 0);
  const samples = 50_000;
  const counts = new Float64Array(8);
  let inclusion = new Float64Array(0);
  for (let seed = 0; seed < samples; seed++) {
    const draw = drawBalanced(weights, groupOf, 5, counterRandom(seed));
    for (const position of draw.positions) counts[position]!++;
    if (seed === 0) inclusion = draw.inclusion as Float64Array<ArrayBuffer>;
  }
  counts.forEach((count, position) => {
    const chance = inclusion[position]!;
    expect(Math.abs(count - samples * chance)).toBeLessThanOrEqual(6 * Math.sqrt(samples * chance * (1 - chance)));
  });
});

test('refuses invalid weights, counts and options', () => {
  const random = counterRandom(1);
  expect(() => drawBalanced(float64(1), ints(0, 1), 1, random)).toThrow(ShapeError);
  expect(() => drawBalanced(float64(1), ints(-1), 1, random)).toThrow('group -1 at position 0');
  expect(() => drawBalanced(float64(1, Number.NaN), ints(0, 0), 1, random)).toThrow('weight NaN at position 1');
  expect(() => drawBalanced(float64(1, 0), ints(0, 0), 2, random)).toThrow(InvalidWeightsError);
  for (const count of [-1, 0.5])
    expect(() => drawBalanced(float64(1), ints(0), count, random)).toThrow(InvalidArgumentError);
});

test('estimated inclusion approaches the exact one as the count grows, and always sums to the count', () => {
  const random = counterRandom(3);
  const weights = Float64Array.from({ length: 2000 }, (_, at) => (at % 50 === 0 ? 0 : random.uniform(at) ** 4 * 1e200));
  for (const [count, error] of [
    [1, 0.002],
    [20, 0.006],
    [100, 0.003],
    [400, 0.001],
    [1960, 0],
  ] as const) {
    const exact = inclusionProbabilities(weights, count);
    const estimated = estimatedInclusion(weights, count);
    expect(estimated.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(count, 6);
    estimated.forEach((chance, position) => {
      expect(Math.abs(chance - exact[position]!)).toBeLessThanOrEqual(error);
      if (weights[position] === 0) expect(chance).toBe(0);
    });
  }
  expect(estimatedInclusion([0, 3, 2], 2)).toEqual(float64(0, 1, 1));
  expect(() => estimatedInclusion([0, 3], 2)).toThrow('2 draws without replacement need 2 weights above 0, and 1 of 2');
  expect(() => estimatedInclusion([1, -3], 1)).toThrow('weight -3 at position 1');
  expect(() => estimatedInclusion([1], 0.5)).toThrow(InvalidArgumentError);
});
