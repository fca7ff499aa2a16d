import { type DensityEstimator, type Matrix, RarefyError } from '@rarefy/core';
import type { DensitySubject } from '../checks/density-estimator-checks.js';
import { naiveDensity } from '../reference/naive-density.js';
import { altered, identityMutants, type Mutant, turn } from './mutant.js';

type Change = (right: DensityEstimator) => Partial<DensityEstimator>;

const right = () => naiveDensity({ k: 5 });

const mutant = (name: string, caughtBy: string, change: Change): Mutant<DensitySubject> => ({
  name,
  caughtBy,
  subject: {
    create() {
      const estimator = right();
      return altered(estimator, change(estimator));
    },
    scalePower: -1,
  },
});

/** Every density of a fit passed through `change`. */
const fitted =
  (change: (value: number, row: number) => number): Change =>
  (estimator) => ({ fit: async (points, options) => (await estimator.fit(points, options)).map(change) });

/** Other points than those that were given. */
const points =
  (change: (points: Matrix) => Matrix): Change =>
  (estimator) => ({ fit: async (given, options) => estimator.fit(change(given), options) });

let fits = 0;

export const densityMutants: readonly Mutant<DensitySubject>[] = [
  ...identityMutants(right),
  mutant(
    'loses a row to a division',
    'gives one finite density a row',
    fitted((value, row) => (row === 99 ? Number.NaN : value)),
  ),
  mutant(
    'returns the mean distance, which is small where it is crowded',
    'says that a tight cluster is denser than a loose one',
    fitted((value) => 1 / value),
  ),
  mutant(
    'divides by the distance alone',
    'stays finite when rows repeat',
    fitted((value) => 1 / Math.max(0, 1 / value - 1e-6 - 1e-12)),
  ),
  mutant(
    'favours later rows',
    'gives each row the same density in any order',
    fitted((value, row) => value * (1 + row / 1000)),
  ),
  mutant('counts a row among its own neighbours', 'leaves each row out of its own density', (estimator) => ({
    async fit(given, options) {
      await estimator.fit(given, options);
      return estimator.score!(given);
    },
  })),
  mutant(
    'adds a constant',
    'scales as it says',
    fitted((value) => value + 1),
  ),
  mutant('samples the neighbours at random', 'gives the same densities twice', (estimator) => ({
    fit: async (given, options) => (await estimator.fit(given, options)).map((value) => value + 1e-9 * fits++),
  })),
  mutant('scores by the mean distance', 'scores new points by the fit', (estimator) => ({
    score: async (given, options) => (await estimator.score!(given, options)).map((value) => 1 / value),
  })),
  mutant('forgets the fit when rows are added', 'learns added rows as a new fit would', (estimator) => ({
    update: async (given, options) => void (await estimator.fit(given, options)),
  })),
  mutant('hides an update that it has', 'has the methods that its capabilities declare', () => ({
    capabilities: { outOfSample: true, online: false },
  })),
  mutant('measures each half by itself', 'measures rows that come in blocks as rows in memory', (estimator) => ({
    async fitRows(points, options) {
      const half = points.rows >> 1;
      const first = await estimator.fit(await points.read(0, half), options);
      return Float64Array.of(...first, ...(await estimator.fit(await points.read(half, points.rows), options)));
    },
  })),
  mutant('adds what it saw before', 'forgets an earlier fit', (estimator) => {
    let seen = 0;
    return {
      fit: async (given, options) => (await estimator.fit(given, options)).map((value) => value + 1e-3 * seen++),
    };
  }),
  mutant(
    'normalises the points in place',
    'leaves the points as they are',
    points((given) => {
      given.data[5] = given.data[5]! * 1.0001;
      return given;
    }),
  ),
  mutant('keeps the points by reference', 'copies the points and gives its densities away', (estimator) => {
    let kept: Matrix | undefined;
    return {
      async fit(given, options) {
        kept = given;
        return estimator.fit(given, options);
      },
      async score(given, options) {
        if (kept?.cols === given.cols) await estimator.fit(kept, options);
        return estimator.score!(given, options);
      },
    };
  }),
  mutant('scores zero before a fit', 'refuses to score before a fit', (estimator) => ({
    score: (given, options) => estimator.score!(given, options).catch(() => new Float64Array(given.rows)),
  })),
  mutant(
    'takes a NaN for a zero',
    'refuses a NaN',
    points((given) => ({ ...given, data: given.data.map((value) => value || 0) })),
  ),
  mutant(
    'reads as much as it needs',
    'refuses points of another shape',
    points((given) => ({ ...given, data: given.data.slice(0, given.rows * given.cols) })),
  ),
  mutant('gives NaN for a few rows', 'answers or refuses too few rows', (estimator) => ({
    fit: async (given, options) =>
      given.rows > 5 ? estimator.fit(given, options) : new Float64Array(given.rows).fill(Number.NaN),
  })),
  mutant('is not stopped by its signal', 'stops when it is told to', (estimator) => ({
    fit: (given) => estimator.fit(given),
  })),
  mutant('turns an abort into an error of its own', 'stops in the middle of a fit', (estimator) => ({
    async fit(given, options) {
      options?.signal?.throwIfAborted();
      await turn();
      if (options?.signal?.aborted) throw new RarefyError('the worker is gone');
      return estimator.fit(given);
    },
  })),
];
