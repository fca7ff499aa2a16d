import { counterRandom, InvalidArgumentError, InvalidWeightsError, NotFiniteError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lowestPositions, rarestPositions } from './numeric/lowest-positions.js';
import { densityReport } from './report.js';
import { inverseDensity } from './weighting/inverse-density.js';
import { compose, targetEss } from './weighting/transforms.js';

const float64 = (...values: number[]) => Float64Array.from(values);

test('lowestPositions is the start of a stable sort, with ties and infinities', () => {
  const values = fc.array(fc.constantFrom(-Infinity, -1, -0, 0, 0.5, 2, Infinity), { maxLength: 30 });
  fc.assert(
    fc.property(values, fc.nat(), (list, size) => {
      const count = size % (list.length + 1);
      const sorted = list
        .map((_, position) => position)
        .sort((a, b) => (list[a]! < list[b]! ? -1 : list[a]! > list[b]! ? 1 : a - b));
      expect(Array.from(lowestPositions(Float64Array.from(list), count))).toEqual(sorted.slice(0, count));
    }),
    { numRuns: 500, seed: 1 },
  );
});

describe('rarestPositions', () => {
  test('rounds up, rarest first, ties by position', () => {
    const density = float64(3, 1, 2, 1, 5, 1, 4, 9, 8, 7, 6);
    expect(Array.from(rarestPositions(density, 0.1))).toEqual([1, 3]);
    expect(Array.from(rarestPositions(density, 0.36))).toEqual([1, 3, 5, 2]);
    expect(rarestPositions(density, 1).length).toBe(11);
    expect(rarestPositions(density, 0).length).toBe(0);
    expect(rarestPositions(float64(), 0.5).length).toBe(0);
  });

  test('a share that is a whole number of rows is not rounded up by float64 noise', () => {
    for (const [share, rows, count] of [
      [0.07, 100, 7],
      [0.07, 300, 21],
      [0.01, 2900, 29],
      [0.1, 1_000_000, 100_000],
    ] as const) {
      expect(rarestPositions(new Float64Array(rows), share).length).toBe(count);
    }
  });

  test('refuses densities that cannot be ordered', () => {
    expect(() => rarestPositions(float64(1, Number.NaN), 0.1)).toThrow('density NaN at position 1');
    expect(() => rarestPositions(float64(Infinity), 0.1)).toThrow(NotFiniteError);
    for (const share of [-0.1, 1.1, Number.NaN])
      expect(() => rarestPositions(float64(1), share)).toThrow(InvalidArgumentError);
  });
});

describe('densityReport', () => {
  test('has the expected values', () => {
    const density = Float64Array.from({ length: 20 }, (_, row) => 20 - row); // the last rows are the rarest
    const weights = Float64Array.from({ length: 20 }, (_, row) => row + 1); // sum 210, squares 2870
    const report = densityReport(density, weights);
    expect(report.rows).toBe(20);
    expect(report.ess).toBeCloseTo(210 ** 2 / 2870, 10);
    expect(report.essOverN).toBeCloseTo(210 ** 2 / 2870 / 20, 12);
    expect(report.maxOverMin).toBe(20);
    expect(report.rarest1Share).toBeCloseTo(20 / 210, 12);
    expect(report.rarest10Share).toBeCloseTo(39 / 210, 12);
    expect(report.warnings).toEqual([]);
  });

  test('the shares are the expected shares of draws', () => {
    const uniforms = counterRandom(3);
    const density = Float64Array.from({ length: 500 }, (_, row) => 0.5 + uniforms.uniform(row));
    const weights = inverseDensity({ exponent: 4 })(density);
    const rare = new Set(rarestPositions(density, 0.1));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const share = weights.reduce((sum, weight, row) => sum + (rare.has(row) ? weight : 0), 0) / total;
    expect(densityReport(density, weights).rarest10Share).toBeCloseTo(share, 12);
    expect(share).toBeGreaterThan(0.1);
  });

  test('warns of nearly uniform and of nearly degenerate weights; huge and zero weights are no problem', () => {
    const density = new Float64Array(100).fill(1);
    expect(densityReport(density, new Float64Array(100).fill(5)).warnings).toEqual([
      'ESS/N is 1.00: draws are nearly uniform; raise the exponent or add a target ESS, such as 0.5',
    ]);
    const one = new Float64Array(100);
    one[3] = 1e308;
    const report = densityReport(density, one);
    expect(report).toMatchObject({ ess: 1, essOverN: 0.01, maxOverMin: Infinity });
    expect(report.warnings[0]).toContain('a few rows take nearly all draws');
    expect(densityReport(density, new Float64Array(100).fill(1e308)).rarest10Share).toBeCloseTo(0.1, 12);
  });

  test('warns if the rarest tenth gets less than uniform draws would give it', () => {
    const density = Float64Array.from({ length: 25 }, (_, row) => row + 1); // the rarest tenth is three rows, 12 %
    const crowded = densityReport(density, targetEss(0.5)(density));
    expect(crowded.warnings).toEqual([
      expect.stringMatching(
        /^the rarest tenth of the rows get 0\.\d+ % of the draws, less than the 12\.0 % of uniform/,
      ),
    ]);
    expect(densityReport(density, inverseDensity({ exponent: -1 })(density)).warnings.join()).toContain(
      'favor crowded',
    );
    expect(densityReport(density, compose(inverseDensity(), targetEss(0.5))(density)).warnings).toEqual([]);
    for (const rows of [1, 7, 10, 99, 1000]) {
      const uniform = densityReport(density.slice(0, rows), new Float64Array(Math.min(rows, 25)).fill(0.3));
      expect(uniform.warnings.length).toBe(1); // only that draws are nearly uniform
    }
  });

  test('refuses invalid densities and weights', () => {
    expect(() => densityReport(float64(1, 2), float64(1))).toThrow(ShapeError);
    expect(() => densityReport(float64(1, 2), float64(1, -1))).toThrow('weight -1 at position 1');
    expect(() => densityReport(float64(1, 2), float64(0, 0))).toThrow(InvalidWeightsError);
    expect(() => densityReport(float64(), float64())).toThrow(InvalidWeightsError);
  });
});
