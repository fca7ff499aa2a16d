import { readFileSync } from 'node:fs';
import { InvalidArgumentError, InvalidWeightsError, NotFiniteError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agreementReport, spearman } from './index.js';

const float64 = (...values: number[]) => Float64Array.from(values);
const { rankings } = JSON.parse(
  readFileSync(new URL('../../../tests/golden/density-references.json', import.meta.url), 'utf8'),
) as { rankings: { a: number[]; b: number[]; spearman: number }[] };

describe('spearman', () => {
  test.each(rankings.map((ranking) => [ranking.a.length, ranking] as const))(
    'equals scipy’s, with ties: %i values',
    (_, { a, b, spearman: expected }) => {
      expect(Math.abs(spearman(a, b)! - expected)).toBeLessThan(1e-12);
    },
  );

  test('is 1 for the same order, -1 for the opposite, and undefined without an order', () => {
    expect(spearman([1, 5, 2, 9], [10, 50, 20, 1e9])).toBe(1);
    expect(spearman([1, 5, 2, 9], [-1, -5, -2, -9])).toBe(-1);
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeUndefined();
    expect(spearman([], [])).toBeUndefined();
  });

  test('depends only on the order of the values, and is symmetric', () => {
    const values = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), { minLength: 2 });
    fc.assert(
      fc.property(values, (list) => {
        const [a, b] = [list.map(([x]) => x), list.map(([, y]) => y)];
        expect(spearman(b, a)).toBe(spearman(a, b));
        const stretched = a.map((x) => Math.exp(x));
        expect(spearman(stretched, b)).toBe(spearman(a, b));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('refuses values that cannot be ordered', () => {
    expect(() => spearman([1, 2], [1])).toThrow(ShapeError);
    expect(() => spearman([1, Number.NaN], [1, 2])).toThrow('value NaN at position 1');
  });
});

describe('agreementReport', () => {
  test('has the expected values', () => {
    const rows = 200;
    const density = Float64Array.from({ length: rows }, (_, row) => row + 1);
    // The rarest two are swapped with rows 100 and 101: 0 of 2 of the rarest 1 % stay, and 18 of 20 of the rarest 10 %.
    const other = density.slice();
    [other[0], other[1], other[100], other[101]] = [density[100]!, density[101]!, density[0]!, density[1]!];
    const weights = new Float64Array(rows).fill(1);
    const otherWeights = weights.slice();
    otherWeights[0] = 101; // a third of the draws go to row 0
    const report = agreementReport({ density, weights }, { density: other, weights: otherWeights });
    expect(report).toMatchObject({ rows, rarest1Overlap: 0, rarest10Overlap: 0.9 });
    expect(report.spearman).toBeCloseTo(1 - (6 * 4 * 100 ** 2) / (rows * (rows ** 2 - 1)), 12);
    expect(report.totalVariation).toBeCloseTo(101 / 300 - 1 / 200, 12);
  });

  test('a side agrees with itself, and weights alone rank like the densities that they invert', () => {
    const density = Float64Array.from({ length: 150 }, (_, row) => 0.1 + ((row * 37) % 150));
    const weights = density.map((value) => 1 / value);
    const same = { rows: 150, spearman: 1, rarest1Overlap: 1, rarest10Overlap: 1 };
    expect(agreementReport({ density, weights }, { density, weights })).toEqual({ ...same, totalVariation: 0 });
    expect(agreementReport({ density }, { weights })).toEqual({ ...same, totalVariation: undefined });
  });

  test('the total variation is the largest difference over sets of rows, at any scale of the weights', () => {
    const lists = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { minLength: 1, maxLength: 8 });
    const drawable = lists.filter((list) => [0, 1].every((side) => list.some((pair) => pair[side]! > 0)));
    fc.assert(
      fc.property(drawable, fc.constantFrom(1, 1e300, 1e-300), (list, scale) => {
        const [a, b] = [list.map(([x]) => x), list.map(([, y]) => y)];
        const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
        let largest = 0;
        for (let set = 0; set < 2 ** list.length; set++) {
          const share = (values: number[]) => sum(values.filter((_, row) => set & (1 << row))) / sum(values);
          largest = Math.max(largest, share(a) - share(b));
        }
        const weights = Float64Array.from(a, (value) => value * scale);
        const report = agreementReport({ weights }, { weights: Float64Array.from(b) });
        expect(report.totalVariation).toBeCloseTo(largest, 12);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  test('refuses sides that cannot be compared', () => {
    const density = float64(1, 2);
    expect(() => agreementReport({}, { density })).toThrow(InvalidArgumentError);
    expect(() => agreementReport({ density }, { density: float64(1) })).toThrow('the two sides have 2, 1 values');
    expect(() => agreementReport({ density, weights: float64(1) }, { density })).toThrow(ShapeError);
    expect(() => agreementReport({ density: float64() }, { density: float64() })).toThrow('there are no rows');
    expect(() => agreementReport({ density }, { density: float64(1, Number.NaN) })).toThrow(NotFiniteError);
    expect(() => agreementReport({ weights: float64(0, 0) }, { weights: density })).toThrow(InvalidWeightsError);
  });
});
