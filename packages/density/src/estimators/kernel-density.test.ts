import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Matrix, type NeighborIndex, ShapeError } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import { describe, expect, test, vi } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { steppedClock } from '../../../../tests/support/stepped-clock.js';
import { type KernelDensityOptions, kernelDensity } from '../index.js';

interface KernelReference {
  readonly kernel: 'gaussian' | 'exponential' | 'angular';
  readonly bandwidth?: number;
  readonly power?: number;
  readonly leave_one_out: number[];
  readonly scores: number[];
}
const references = JSON.parse(
  readFileSync(new URL('../../../../tests/golden/density-references.json', import.meta.url), 'utf8'),
) as { points: number[][]; queries: number[][]; kernels: KernelReference[] };
const matrix = (rows: number[][]): Matrix => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  cols: rows[0]!.length,
});

function expectClose(actual: Float64Array, expected: ArrayLike<number>, relative: number) {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, row) => {
    expect(Math.abs(value - expected[row]!)).toBeLessThanOrEqual(relative * Math.abs(expected[row]!));
  });
}

describe('equals scikit-learn, leave-one-out and for new points', () => {
  test.each(
    references.kernels.map(
      (reference) => [JSON.stringify({ ...reference, leave_one_out: 0, scores: 0 }), reference] as const,
    ),
  )('%s', async (_, { kernel, bandwidth, power, leave_one_out, scores }) => {
    const estimator = kernelDensity({ kernel, ...(bandwidth && { bandwidth }), ...(power && { power }) });
    // The angle of nearly parallel rows has half the digits of its cosine.
    const tolerance = kernel === 'angular' ? 1e-7 : 1e-9;
    expectClose(await estimator.fit(matrix(references.points)), leave_one_out, tolerance);
    expectClose(await estimator.score(matrix(references.queries)), scores, tolerance);
  });
});

/** All pairs, with differences in float64. */
function naive(points: Matrix, kernel: (row: Float32Array, other: Float32Array) => number): Float64Array {
  const row = (at: number) => points.data.subarray(at * points.cols, (at + 1) * points.cols);
  return Float64Array.from({ length: points.rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < points.rows; j++) if (j !== i) sum += kernel(row(i), row(j));
    return sum / (points.rows - 1);
  });
}

const distance = (row: Float32Array, other: Float32Array) =>
  Math.sqrt(row.reduce((sum, value, col) => sum + (value - other[col]!) ** 2, 0));

test('equals a naive sum for partly filled blocks and repeated rows', async () => {
  for (const [rows, cols] of [
    [2, 1],
    [63, 3],
    [64, 9],
    [65, 2],
    [201, 17],
  ] as const) {
    const distinct = normalPoints(rows, cols, rows);
    const points = rowsOf(distinct, [...Array(rows).keys(), ...Array(rows >> 1).fill(1)]);
    const expected = naive(points, (row, other) => Math.exp(-(distance(row, other) ** 2) / (2 * 1.5 ** 2)));
    expectClose(await kernelDensity({ bandwidth: 1.5 }).fit(points), expected, 1e-9);
  }
});

test('a small distance between long rows keeps its digits', async () => {
  const points: Matrix = { data: Float32Array.from([1e4, 1e4, 1e4, 1e4 + 2 ** -7, 1e4, 1e4]), rows: 3, cols: 2 };
  const expected = naive(points, (row, other) => Math.exp(-(distance(row, other) ** 2) / (2 * 0.01 ** 2)));
  expectClose(await kernelDensity({ bandwidth: 0.01 }).fit(points), expected, 1e-3);
  expect((await kernelDensity({ bandwidth: 0.01 }).fit(points))[0]).toBeGreaterThan(0.5);
});

test('a zero row is orthogonal to all others', async () => {
  const points: Matrix = { data: Float32Array.from([0, 0, 1, 2, 0, 0, -3, 1]), rows: 4, cols: 2 };
  const density = await kernelDensity({ kernel: 'angular', power: 2 }).fit(points);
  expect(density[0]).toBeCloseTo((1 + 0.25 + 0.25) / 3, 12);
  expect(density[2]).toBe(density[0]);
});

describe('the default bandwidth', () => {
  test('is the median distance to the 10th nearest other distinct row', async () => {
    const distinct = clusters([0.1, 0.5, 0.3], 31, 8, 2);
    const points = rowsOf(distinct, [...Array(93).keys(), ...Array(50).fill(4)]);
    const tenth = Array.from({ length: 93 }, (_, row) => {
      const own = distinct.data.subarray(row * 8, row * 8 + 8);
      const all = Array.from({ length: 93 }, (_, other) =>
        distance(own, distinct.data.subarray(other * 8, other * 8 + 8)),
      );
      return all.sort((a, b) => a - b)[10]!; // the row itself is first
    }).sort((a, b) => a - b);
    const estimator = kernelDensity();
    expect(estimator.bandwidth).toBeUndefined();
    const density = await estimator.fit(points);
    expect(estimator.bandwidth).toBeCloseTo(tenth[46]!, 6);
    expect(await kernelDensity({ bandwidth: estimator.bandwidth! }).fit(points)).toEqual(density);
    expect(kernelDensity({ bandwidth: 2 }).bandwidth).toBe(2);
  });

  test('for few rows, and for rows that are all equal', async () => {
    const two = kernelDensity();
    await two.fit({ data: Float32Array.from([0, 3]), rows: 2, cols: 1 });
    expect(two.bandwidth).toBe(3);
    const equal = kernelDensity();
    expect(await equal.fit({ data: new Float32Array(12).fill(2), rows: 6, cols: 2 })).toEqual(
      new Float64Array(6).fill(1),
    );
    expect(equal.bandwidth).toBe(1);
  });

  test('for more than 1,000 rows is close to the one of all rows', async () => {
    const points = normalPoints(2300, 3, 8);
    const estimator = kernelDensity();
    await estimator.fit(points);
    const few = kernelDensity();
    await few.fit(rowsOf(points, [...Array(1000).keys()]));
    expect(estimator.bandwidth! / few.bandwidth!).toBeGreaterThan(0.65); // 2.3 times as many rows: about 2.3^(-1/3)
    expect(estimator.bandwidth! / few.bandwidth!).toBeLessThan(0.85);
  });
});

describe('near and random rows', () => {
  const points = rowsOf(clusters([0.3, 0.8], 60, 6, 4), [...Array(120).keys(), 5, 5, 5, 5, 70, 0, 0]);
  const queries = rowsOf(clusters([0.3, 0.8], 4, 6, 9), [0, 1, 4, 5]);
  const options = { kernel: 'exponential', bandwidth: 0.6 } as const;
  const sampled = (more: KernelDensityOptions) => kernelDensity({ ...options, method: 'near-and-random', ...more });

  test.each([
    ['exact neighbors', { k: 6, samples: 8 }],
    ['no neighbors', { k: 0, samples: 12 }],
    ['arbitrary rows as neighbors', { k: 4, samples: 8, index: arbitraryIndex }],
  ])('are unbiased over seeds, with %s (six standard errors, 135 values: false alarm below 3e-7)', async (_, more) => {
    const runs = casesOf(400, 4000);
    const expected = [...(await kernelDensity(options).fit(points))];
    const exact = kernelDensity(options);
    await exact.fit(points);
    expected.push(...(await exact.score(queries)));
    const sums = new Float64Array(expected.length);
    const squares = new Float64Array(expected.length);
    for (let seed = 0; seed < runs; seed++) {
      const estimator = sampled({ ...more, seed });
      const values = [...(await estimator.fit(points)), ...(await estimator.score(queries))];
      values.forEach((value, at) => {
        sums[at] = sums[at]! + (value - expected[at]!);
        squares[at] = squares[at]! + (value - expected[at]!) ** 2;
      });
    }
    let spread = 0;
    sums.forEach((sum, at) => {
      const bias = sum / runs;
      const error = Math.sqrt((squares[at]! / runs - bias ** 2) / runs);
      expect(Math.abs(bias)).toBeLessThan(6 * error + 1e-9);
      spread += error;
    });
    expect(spread).toBeGreaterThan(0); // it is a sample, and a bias of a tenth would be detected:
    expect(6 * spread).toBeLessThan(0.1 * expected.reduce((sum, value) => sum + value, 0));
  });

  test('are exact if the sample is all other rows', async () => {
    for (const k of [0, 6, 500]) {
      const estimator = sampled({ k, samples: 1000 });
      const exact = kernelDensity(options);
      expectClose(await estimator.fit(points), await exact.fit(points), 1e-6);
      expectClose(await estimator.score(queries), await exact.score(queries), 1e-6);
    }
  });

  test('more samples reduce the error, and neighbors reduce it more in tight clusters', async () => {
    const tight = clusters([0.05, 0.05, 0.05, 0.8], 40, 16, 3);
    const narrow = { kernel: 'gaussian', bandwidth: 0.15 } as const;
    const exact = await kernelDensity(narrow).fit(tight);
    const error = async (k: number, samples: number) => {
      let sum = 0;
      for (let seed = 0; seed < 20; seed++) {
        const values = await kernelDensity({ ...narrow, method: 'near-and-random', k, samples, seed }).fit(tight);
        values.forEach((value, row) => {
          sum += (value - exact[row]!) ** 2;
        });
      }
      return Math.sqrt(sum);
    };
    const [few, more, near] = [await error(0, 10), await error(0, 60), await error(40, 20)];
    expect(more).toBeLessThan(0.6 * few);
    expect(near).toBeLessThan(0.2 * more);
  });
});

/** An index whose neighbors are the first rows: estimates must not depend on good neighbors. */
function arbitraryIndex(): NeighborIndex {
  const inner = exactIndex();
  return Object.assign(inner, {
    fingerprint: 'arbitrary',
    selfJoin: undefined,
    async search(queries: Matrix, { k, exclude }: { k: number; exclude?: Int32Array }) {
      const ids = Int32Array.from({ length: queries.rows * k }, (_, at) => {
        const rank = at % k;
        const excluded = exclude?.[Math.floor(at / k)] ?? -1;
        return rank < k - 1 ? (excluded >= 0 && excluded <= rank ? rank + 1 : rank) : -1; // one is missing
      });
      return { rows: queries.rows, k, ids, distances: new Float32Array(ids.length) };
    },
  }) as unknown as NeighborIndex;
}

test('scores do not change when the caller reuses the buffer of the fitted points', async () => {
  const points = normalPoints(60, 4, 5);
  const queries = normalPoints(60, 4, 5); // the same rows: each excludes itself from the sample
  const fitted = kernelDensity({ method: 'near-and-random', k: 5, samples: 10 });
  await fitted.fit(points);
  const before = await fitted.score!(queries);
  points.data.fill(7);
  expect(await fitted.score!(queries)).toEqual(before);
});

test('lets the event loop run, and rejects with the reason of its signal', async () => {
  const points = normalPoints(3000, 64, 1);
  const controller = new AbortController();
  const reason = new Error('enough');
  steppedClock(1);
  let turns = 0;
  const events = new Set<string>();
  const timer = setInterval(() => {
    if (events.has('work-progress') && ++turns === 3) controller.abort(reason);
  });
  const fit = kernelDensity({ bandwidth: 5 }).fit(points, {
    signal: controller.signal,
    onEvent: ({ type }) => events.add(type),
  });
  await expect(fit).rejects.toBe(reason);
  clearInterval(timer);
  vi.restoreAllMocks();
  expect(turns).toBe(3);
  expect(events).toEqual(new Set(['work-start', 'work-progress']));
});

test('refuses invalid options and points', async () => {
  const refused = (options: object, message: string) => {
    expect(() => kernelDensity(options)).toThrow(InvalidArgumentError);
    expect(() => kernelDensity(options)).toThrow(message);
  };
  refused({ kernel: 'box' }, 'kernel must be one of gaussian, exponential, angular, got box');
  refused({ method: 'fast' }, 'method must be exact or near-and-random, got fast');
  refused({ kernel: 'angular', bandwidth: 1 }, 'the angular kernel has no bandwidth');
  refused({ power: 2 }, 'power applies only to the angular kernel');
  for (const power of [0, -1, Number.NaN, Infinity]) refused({ kernel: 'angular', power }, `got ${power}`);
  for (const bandwidth of [0, -1, Number.NaN, Infinity, 1e-160]) refused({ bandwidth }, `got ${bandwidth}`);
  for (const k of [-1, 0.5]) refused({ k }, `k must be an integer ≥ 0, got ${k}`);
  for (const samples of [0, 1.5]) refused({ samples }, `samples must be an integer ≥ 1, got ${samples}`);
  refused({ seed: 0.5 }, 'seed must be a safe integer, got 0.5');
  const byDot = () => exactIndex({ metric: 'dot' });
  refused({ method: 'near-and-random', index: byDot }, 'needs an index with metric euclidean or cosine, got dot');
  await expect(kernelDensity().fit(normalPoints(1, 3, 1))).rejects.toThrow('at least 2 rows, got 1');
  await expect(kernelDensity().fit({ data: new Float32Array(0), rows: 2, cols: 0 })).rejects.toBeInstanceOf(ShapeError);
  const doubles = { data: new Float64Array(6) as unknown as Float32Array, rows: 3, cols: 2 };
  await expect(kernelDensity().fit(doubles)).rejects.toThrow('points must be in a Float32Array, got Float64Array');
});
