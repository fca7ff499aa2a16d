import {
  InvalidArgumentError,
  InvalidWeightsError,
  NotFiniteError,
  type Weighting,
  type WeightTransform,
} from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inverseDensity } from './inverse-density.js';
import { cap, compose, mixUniform, targetEss, weightTransform } from './transforms.js';
import { effectiveSampleSize } from './weights.js';

const float64 = (...values: number[]) => Float64Array.from(values);
const options = { numRuns: 300, seed: 1 };
const densities = fc
  .array(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), { minLength: 1, maxLength: 40 })
  .map((values) => Float64Array.from(values));
const weightLists = fc
  .array(fc.oneof(fc.constant(0), fc.double({ min: 1e-12, max: 1e12, noNaN: true })), { minLength: 1, maxLength: 40 })
  .filter((values) => values.some((value) => value > 0))
  .map((values) => Float64Array.from(values));

function expectRelative(actual: number, expected: number, relative: number) {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.abs(expected) + 1e-300);
}

describe('inverseDensity', () => {
  test('gives 1 / density, powers of it, and with exponent -1 the density itself', () => {
    const density = float64(0.25, 1, 8, 3e-5);
    const powers = (exponent: number, epsilon = 0) => density.map((value) => (value + epsilon) ** -exponent);
    for (const exponent of [1, 2, 16, 0.5, -1]) {
      inverseDensity({ exponent })(density).forEach((weight, row) => {
        expectRelative(weight, powers(exponent)[row]!, 1e-13);
      });
    }
    inverseDensity({ epsilon: 1e-3 })(density).forEach((weight, row) => {
      expectRelative(weight, powers(1, 1e-3)[row]!, 1e-14);
    });
    expect(inverseDensity({ exponent: 0 })(float64(0, 5))).toEqual(float64(1, 1));
    expect(inverseDensity({ exponent: -2 })(float64(0, 2))[0]).toBe(0);
  });

  test('any densities and exponent give finite weights, not all zero, the rarest largest', () => {
    fc.assert(
      fc.property(densities, fc.double({ min: 0, max: 1e6, noNaN: true }), (density, exponent) => {
        const weights = inverseDensity({ exponent })(density);
        expect(weights.every((weight) => weight >= 0 && weight < Infinity)).toBe(true);
        expect(weights[density.indexOf(Math.min(...density))]).toBe(Math.max(...weights));
        expect(Number.isFinite(weights.reduce((sum, weight) => sum + weight, 0))).toBe(true);
        expect(Math.max(...weights)).toBeGreaterThan(0);
      }),
      options,
    );
  });

  test('keeps the ratios if the powers overflow', () => {
    const weights = inverseDensity({ exponent: 300 })(float64(0.01, 0.0101));
    expect(weights[0]).toBe(1);
    expectRelative(weights[1]!, 1.01 ** -300, 1e-10);
  });

  test('refuses densities whose weight would be infinite, naming the position', () => {
    expect(() => inverseDensity()(float64(1, 0))).toThrow('density 0 at position 1 has an infinite weight');
    expect(() => inverseDensity()(float64(1, 0))).toThrow(InvalidWeightsError);
    expect(() => inverseDensity()(float64(1, Number.NaN))).toThrow(NotFiniteError);
    expect(() => inverseDensity()(float64(1, Infinity))).toThrow('density Infinity at position 1');
    expect(() => inverseDensity()(float64(-1))).toThrow(InvalidArgumentError);
    for (const bad of [{ exponent: Number.NaN }, { exponent: Infinity }, { epsilon: -1 }, { epsilon: Infinity }]) {
      expect(() => inverseDensity(bad)).toThrow(InvalidArgumentError);
    }
  });
});

test('effective sample size: n for equal weights, 1 for one weight, no overflow', () => {
  expect(effectiveSampleSize(float64(3, 3, 3, 3))).toBe(4);
  expect(effectiveSampleSize(float64(0, 1e308, 0))).toBe(1);
  expect(effectiveSampleSize(float64(1e308, 1e308, 1e-308))).toBe(2);
  expect(effectiveSampleSize(float64(1, 2))).toBeCloseTo(9 / 5, 14);
  expect(effectiveSampleSize(float64(0, 0))).toBe(0);
});

describe('targetEss', () => {
  test('reaches any share in range, keeps the order of weights and the zeros', () => {
    fc.assert(
      fc.property(weightLists, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (weights, part) => {
        const most = Math.max(...weights);
        const lowest = weights.filter((weight) => weight === most).length / weights.length;
        const highest = weights.filter((weight) => weight > 0).length / weights.length;
        fc.pre(lowest < highest);
        const share = lowest + part * (highest - lowest);
        const raised = targetEss(share)(weights);
        expectRelative(effectiveSampleSize(raised) / weights.length, share, 1e-9);
        weights.forEach((weight, row) => {
          if (weight === 0) expect(raised[row]).toBe(0);
          weights.forEach((other, at) => {
            if (weight < other) expect(raised[row]!).toBeLessThanOrEqual(raised[at]!);
          });
        });
        expect(Math.max(...raised)).toBe(1);
      }),
      options,
    );
  });

  test('is a power of the weights: the logarithms keep their ratio', () => {
    const raised = targetEss(0.4)(float64(1, 2, 4, 32, 1));
    expectRelative(Math.log(raised[3]! / raised[0]!) / Math.log(raised[2]! / raised[0]!), 5 / 2, 1e-9);
  });

  test('weights that differ in the last digit still reach a small share; extreme scales do not matter', () => {
    for (const weights of [float64(1, 1 + 2 ** -52, 1), float64(1e-300, 1e300, 1), float64(5e-324, 1e-323, 2e-323)]) {
      expectRelative(effectiveSampleSize(targetEss(0.5)(weights)) / 3, 0.5, 1e-9);
    }
  });

  test('the share of weights above zero is reached with power 0: 1 gives uniform weights', () => {
    expect(targetEss(1)(float64(1, 7, 2))).toEqual(float64(1, 1, 1));
    expect(targetEss(1)(float64(4, 4))).toEqual(float64(1, 1));
    expect(targetEss(0.5)(float64(0, 7, 0, 2))).toEqual(float64(0, 1, 0, 1));
  });

  test('a share out of reach is an error that states the range', () => {
    expect(() => targetEss(0.5)(float64(4, 4))).toThrow('at most 1 and more than 1');
    expect(() => targetEss(0.5)(float64(4, 4, 1, 1))).toThrow('at most 1 and more than 0.5');
    expect(() => targetEss(0.9)(float64(0, 0, 1, 2))).toThrow('at most 0.5 and more than 0.25');
    expect(() => targetEss(0.5)(float64(0, 0))).toThrow(InvalidWeightsError);
    for (const share of [0, -1, 1.1, Number.NaN]) expect(() => targetEss(share)).toThrow(InvalidArgumentError);
  });
});

test('mixUniform keeps the sum, and every probability is at least lambda / rows', () => {
  fc.assert(
    fc.property(weightLists, fc.double({ min: 0, max: 1, noNaN: true }), (weights, lambda) => {
      const mixed = mixUniform(lambda)(weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      expectRelative(
        mixed.reduce((sum, weight) => sum + weight, 0),
        total,
        1e-12,
      );
      mixed.forEach((weight, row) => {
        const expected = (1 - lambda) * (weights[row]! / total) + lambda / weights.length;
        expectRelative(weight / total, expected, 1e-11);
      });
    }),
    options,
  );
  expect(mixUniform(0)(float64(0, 3))).toEqual(float64(0, 3));
  expect(mixUniform(1)(float64(0, 3))).toEqual(float64(1.5, 1.5));
  expect(mixUniform(0.5)(float64(1e308, 1e308))[0]).toBe(1e308);
  for (const lambda of [-0.1, 1.1, Number.NaN]) expect(() => mixUniform(lambda)).toThrow(InvalidArgumentError);
});

test('cap bounds weights by a multiple of the median of those above zero and leaves the others', () => {
  expect(cap(2)(float64(1, 3, 100, 2, 0))).toEqual(float64(1, 3, 5, 2, 0)); // median 2.5
  expect(cap(1)(float64(5, 1, 9))).toEqual(float64(5, 1, 5));
  expect(cap(20)(float64(0, 0, 0, 7))).toEqual(float64(0, 0, 0, 7));
  expect(cap(Infinity)(float64(1, 1e9))).toEqual(float64(1, 1e9));
  expect(() => cap(2)(float64(1, Number.NaN))).toThrow('weight NaN at position 1');
  for (const ratio of [0.5, 0, Number.NaN]) expect(() => cap(ratio)).toThrow(InvalidArgumentError);
});

test('compose applies from first to last, and nothing changes its input', () => {
  const density = float64(1, 4, 2, 0.5);
  const before = density.slice();
  const composed = compose(inverseDensity({ exponent: 2 }), targetEss(0.5), mixUniform(0.1), cap(20));
  expect(composed(density)).toEqual(cap(20)(mixUniform(0.1)(targetEss(0.5)(inverseDensity({ exponent: 2 })(density)))));
  expect(compose(inverseDensity())(density)).toEqual(inverseDensity()(density));
  expect(density).toEqual(before);
});

test('a plain function is a weighting, and a transform if it is wrapped', () => {
  const squares = compose(
    (density) => density.map((value) => 1 / value),
    weightTransform((weights) => weights.map((weight) => weight ** 2)),
  );
  expect(squares(float64(1, 2, 4))).toEqual(float64(1, 0.25, 0.0625));
});

describe('a transform alone is not a weighting', () => {
  test('for the compiler', () => {
    // @ts-expect-error targetEss takes weights, not densities
    const weighting: Weighting = targetEss(0.5);
    // @ts-expect-error a chain starts with a weighting
    expect(() => compose(targetEss(0.5), mixUniform(0.1))).toThrow(InvalidArgumentError);
    // @ts-expect-error only the first of a chain takes densities
    expect(() => compose(inverseDensity(), inverseDensity())).toThrow(
      'argument 2 of compose must be a weight transform',
    );
    // @ts-expect-error an unmarked function may take densities or weights
    expect(() => compose(inverseDensity(), cap(3), (weights) => weights)).toThrow('argument 3 of compose');
    // @ts-expect-error a weighting is not a transform
    const transform: WeightTransform = inverseDensity();
    expect([weighting.kind, transform.kind]).toEqual(['weight-transform', undefined]);
  });

  test('at run time: the error says what to write instead', () => {
    for (const transform of [targetEss(0.5), mixUniform(0.1), cap(20), weightTransform((weights) => weights)]) {
      const given = transform as unknown as Weighting;
      expect(() => compose(given)).toThrow(InvalidArgumentError);
      expect(() => compose(given)).toThrow('compose(inverseDensity(), targetEss(0.5))');
    }
  });
});
