import { counterRandom, InvalidArgumentError, NotFiniteError, ShapeError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { normalQuantile } from './distributions.js';
import { holm } from './holm.js';
import { pairingCorrelation, permutationTest, signFlipTest } from './permutation.js';

const random = counterRandom(3);
const normal = (index: number) => normalQuantile(random.uniform(index));
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** All splits of `values` into arms of `size` and the rest, by the bits of a number. */
function splitsOf(values: readonly number[], size: number): [number[], number[]][] {
  return Array.from({ length: 2 ** values.length }, (_, bits): [number[], number[]] => [
    values.filter((_, index) => (bits >> index) & 1),
    values.filter((_, index) => !((bits >> index) & 1)),
  ]).filter(([a]) => a.length === size);
}

describe('permutation test', () => {
  test.each([
    { a: [1, 2, 3], b: [4, 5, 6, 7] },
    { a: [2, 2, 5, 0.1], b: [2, 0.1 + 0.2, 0.3] },
    { a: [7], b: [1, 2, 3, 4, 5] },
    { a: [1e9 + 1, 1e9 + 3], b: [1e9 + 2, 1e9] },
  ])('p of $a and $b is the share of all splits', ({ a, b }) => {
    const differences = splitsOf([...a, ...b], a.length).map(([first, second]) => mean(first) - mean(second));
    const observed = mean(a) - mean(b);
    const share = (isExtreme: (difference: number) => boolean) =>
      differences.filter(isExtreme).length / differences.length;
    const close = 1e-6;
    const greater = share((difference) => difference >= observed - close);
    const less = share((difference) => difference <= observed + close);
    const twoSided = share((difference) => Math.abs(difference) >= Math.abs(observed) - close);
    expect(permutationTest(a, b, { alternative: 'greater' }).p).toBeCloseTo(greater, 12);
    expect(permutationTest(a, b, { alternative: 'less' }).p).toBeCloseTo(less, 12);
    expect(permutationTest(a, b)).toMatchObject({
      exact: true,
      arrangements: differences.length,
      difference: observed,
    });
    expect(permutationTest(a, b).p).toBeCloseTo(twoSided, 12);
  });

  test('reports the smallest p that the values can give', () => {
    expect(permutationTest([1, 2, 3, 4], [5, 6, 7, 8]).smallestP).toBeCloseTo(2 / 70, 12);
    expect(permutationTest([1, 2, 3, 4], [5, 6, 7, 8], { alternative: 'less' })).toMatchObject({
      p: 1 / 70,
      smallestP: 1 / 70,
    });
    expect(permutationTest([1, 2, 3], [4, 5, 6, 17]).smallestP).toBeCloseTo(1 / 35, 12); // only 5, 6, 17
    expect(permutationTest([0, 0, 0, 1], [0, 0, 0, 1]).smallestP).toBeCloseTo(30 / 70, 12); // both 1s in one arm
    expect(permutationTest([2, 2], [2, 2])).toMatchObject({ p: 1, smallestP: 1, difference: 0 });
  });

  // 0.1 + 0.2 is not 0.3 in floating point: without a tolerance, ties would count as smaller.
  test('counts ties that differ by rounding', () => {
    expect(permutationTest([0.1, 0.2], [0.3, 0], { alternative: 'greater' }).p).toBeCloseTo(4 / 6, 12);
    expect(permutationTest([1, 2], [0, 1.99], { tolerance: 0 }).p).toBeLessThan(
      permutationTest([1, 2], [0, 1.99], { tolerance: 0.9 }).p,
    );
  });

  // In 6 cases, p differs by less than 5 standard errors: by chance in fewer than 1 of 100,000 seeds.
  test.each([0, 0.5, 1])('random splits approach the exact p for a shift of %s', (shift) => {
    for (const alternative of ['two-sided', 'greater'] as const) {
      const a = Array.from({ length: 7 }, (_, run) => normal(run) + shift);
      const b = Array.from({ length: 6 }, (_, run) => normal(100 + run));
      const exact = permutationTest(a, b, { alternative });
      const drawn = permutationTest(a, b, { alternative, mostExact: 1000, draws: 50_000, seed: 8 });
      expect(drawn).toMatchObject({ exact: false, arrangements: 50_001, smallestP: 1 / 50_001 });
      expect(Math.abs(drawn.p - exact.p)).toBeLessThan(5 * Math.sqrt((exact.p * (1 - exact.p)) / 50_000));
    }
  });

  test('more than 200,000 splits are drawn: p is above 0 and depends on the seed alone', () => {
    const a = Array.from({ length: 11 }, (_, run) => normal(run) + 20);
    const b = Array.from({ length: 11 }, (_, run) => normal(50 + run));
    expect(permutationTest(a.slice(1), b.slice(1)).exact).toBe(true);
    expect(permutationTest(a, b)).toEqual(permutationTest(a, b, { seed: 0, draws: 20_000 }));
    expect(permutationTest(a, b)).toMatchObject({ exact: false, p: 1 / 20_001 });
    expect(
      permutationTest(
        b,
        a.map((value) => value - 20),
        { seed: 1 },
      ).p,
    ).not.toBe(
      permutationTest(
        b,
        a.map((value) => value - 20),
        { seed: 2 },
      ).p,
    );
  });
});

describe('A/A comparisons', () => {
  const valuesOf = {
    normal: Array.from({ length: 12 }, (_, run) => normal(run)),
    skewed: Array.from({ length: 12 }, (_, run) => Math.exp(3 * normal(run))),
    tied: [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 9],
  };

  // Exact: there is no chance in it. 12 uniform runs split into two arms in all 924 ways.
  test.each(Object.entries(valuesOf))('at most 5 % of all 924 splits of %s runs have p ≤ 0.05', (_, values) => {
    const splits = splitsOf(values, 6);
    const rejected = splits.filter(([a, b]) => permutationTest(a, b).p <= 0.05).length;
    expect(splits).toHaveLength(924);
    expect(rejected / splits.length).toBeLessThanOrEqual(0.05);
    if (values === valuesOf.normal) expect(rejected).toBe(46); // 23 pairs of mirrored splits, of the 23.1 that 5 % are
  });

  // Each analysis has 10 measures with a correlation of 0.5. In 6,000 others, the primary measure was rejected in 4.98 % (46/924 in
  // theory), any measure in 29.5 % and any after Holm in 3.8 %. A bound is exceeded by chance with a probability of 0.1 % for the
  // first and 0.3 % for the last.
  test('of 2,000 simulated analyses, Holm rejects something in at most 5 %, where single tests do in many more', () => {
    let anySingle = 0;
    let anyHolm = 0;
    let primary = 0;
    for (let analysis = 0; analysis < 2000; analysis++) {
      const common = (run: number) => normal(1000 + analysis * 12 + run);
      const own = (measure: number, run: number) => normal(100_000 + (analysis * 10 + measure) * 12 + run);
      const p = Array.from({ length: 10 }, (_, measure) => {
        const values = Array.from({ length: 12 }, (_, run) => 0.7 * common(run) + 0.7 * own(measure, run));
        return permutationTest(values.slice(0, 6), values.slice(6)).p;
      });
      if (p[0]! <= 0.05) primary++;
      if (p.some((value) => value <= 0.05)) anySingle++;
      if (holm(p).some((value) => value <= 0.05)) anyHolm++;
    }
    expect(primary / 2000).toBeLessThanOrEqual(0.065);
    expect(anyHolm / 2000).toBeLessThanOrEqual(0.05);
    expect(anySingle / 2000).toBeGreaterThan(0.25);
  });
});

describe('sign-flip test', () => {
  test('counts all signs, with zeros and ties', () => {
    expect(signFlipTest([1, 2, 3])).toEqual({
      p: 2 / 8,
      difference: 2,
      exact: true,
      arrangements: 8,
      smallestP: 2 / 8,
    });
    expect(signFlipTest([1, 2, -3], { alternative: 'greater' }).p).toBe(5 / 8); // 6, 4, 2, 0, 0 of 6, 4, 2, 0, 0, -2, -4, -6
    expect(signFlipTest([0, 5]).p).toBe(1);
    expect(signFlipTest([1, 1, 1, 1, 1, 1], { alternative: 'less' }).p).toBe(1);
  });

  test('is exact for up to 17 pairs, and drawn beyond', () => {
    const differences = Array.from({ length: 18 }, (_, pair) => normal(pair) + 0.4);
    expect(signFlipTest(differences.slice(1))).toMatchObject({ exact: true, arrangements: 2 ** 17 });
    const exact = signFlipTest(differences, { mostExact: 2 ** 18 }).p;
    const drawn = signFlipTest(differences, { draws: 50_000, seed: 4 });
    expect(drawn).toMatchObject({ exact: false, arrangements: 50_001 });
    expect(Math.abs(drawn.p - exact)).toBeLessThan(5 * Math.sqrt((exact * (1 - exact)) / 50_000)); // see random splits
  });
});

test('the pairing correlation is 1 for equal runs, and NaN if the runs of an arm are all equal', () => {
  expect(pairingCorrelation([1, 2, 4], [11, 12, 14])).toBeCloseTo(1, 12);
  expect(pairingCorrelation([1, 2], [5, 3])).toBe(-1);
  expect(pairingCorrelation([1, 2], [5, 5])).toBeNaN();
});

test('wrong arguments are refused', () => {
  expect(() => permutationTest([], [1])).toThrow(new InvalidArgumentError('a must have at least 1 value, got 0'));
  expect(() => permutationTest([1], '12' as never)).toThrow('b must be an array of numbers, got');
  expect(() => permutationTest([1, Number.NaN], [1])).toThrow(NotFiniteError);
  expect(() => permutationTest([1], [2], { alternative: 'larger' as never })).toThrow('got "larger"');
  expect(() => permutationTest([1], [2], { draw: 3 } as never)).toThrow('did you mean "draws"?');
  expect(() => permutationTest([1], [2], { mostExact: 0 })).toThrow(
    'mostExact must be an integer in [1, 16777216], got 0',
  );
  expect(() => signFlipTest([])).toThrow('differences must have at least 1 value, got 0');
  expect(() => pairingCorrelation([1, 2], [1, 2, 3])).toThrow(ShapeError);
  expect(() => pairingCorrelation([1], [1])).toThrow('a must have at least 2 values, got 1');
});
