import type { DensityEstimator, Matrix } from '@rarefy/core';
import { naiveDensity } from '../src/reference/naive-density.js';
import type { DensitySubject } from '../src/subjects.js';
import { localOutlierFactor } from './local-outlier-factor.js';
import { altered, hidingReason, identityMutants, ignoringSignal, type Mutant, returning } from './mutant.js';

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

/** The correct estimator with every density of a fit passed through `change`. */
const fitted =
  (change: (value: number, row: number) => number): Change =>
  (estimator) => ({ fit: async (points, options) => (await estimator.fit(points, options)).map(change) });

/** The correct estimator with the points of a fit passed through `change`. */
const points =
  (change: (points: Matrix) => Matrix): Change =>
  (estimator) => ({ fit: async (given, options) => estimator.fit(change(given), options) });

let fits = 0;

export const densityMutants: readonly Mutant<DensitySubject>[] = [
  ...identityMutants(right),
  returning(right, 'fit', async () => Array<number>(100).fill(1)),
  mutant(
    'returns NaN for one row',
    'returns one finite density per row',
    fitted((value, row) => (row === 99 ? Number.NaN : value)),
  ),
  mutant(
    'returns the negative mean distance',
    'returns one finite density per row',
    fitted((value) => -1 / value),
  ),
  mutant(
    'returns the mean distance instead of its inverse',
    'returns larger densities for a tight cluster than for a loose one',
    fitted((value) => 1 / value),
  ),
  mutant(
    'declares relative densities but compares all rows',
    'returns a lower density for a row beside a tight cluster than for either cluster',
    () => ({ capabilities: { outOfSample: true, online: true, relative: true } }),
  ),
  mutant(
    'returns the outlier factor instead of its inverse',
    'returns a lower density for a row beside a tight cluster than for either cluster',
    () => {
      const inverted = localOutlierFactor({ k: 8 });
      return {
        capabilities: { outOfSample: true, online: true, relative: true },
        fit: async (given, options) => (await inverted.fit(given, options)).map((value) => 1 / value),
      };
    },
  ),
  mutant(
    'divides by the distance without an epsilon',
    'returns finite and equal densities for duplicates',
    fitted((value) => 1 / Math.max(0, 1 / value - 1e-6 - 1e-12)),
  ),
  mutant(
    'favors later rows',
    'does not depend on the order of rows',
    fitted((value, row) => value * (1 + row / 1000)),
  ),
  mutant('counts a row among its own neighbors', 'excludes each row from its own density', (estimator) => ({
    async fit(given, options) {
      await estimator.fit(given, options);
      return estimator.score!(given);
    },
  })),
  mutant(
    'adds a constant',
    'scales with the points as declared',
    fitted((value) => value + 1),
  ),
  mutant('adds noise to its densities', 'returns the same result for the same input', (estimator) => ({
    fit: async (given, options) => (await estimator.fit(given, options)).map((value) => value + 1e-9 * fits++),
  })),
  mutant('scores by the mean distance', 'scores new points consistently with the fit', (estimator) => ({
    score: async (given, options) => (await estimator.score!(given, options)).map((value) => 1 / value),
  })),
  mutant(
    'discards the fit when rows are added',
    'gives the same scores after update as after a fit of all rows',
    (estimator) => ({
      update: async (given, options) => void (await estimator.fit(given, options)),
    }),
  ),
  mutant('has an update that it does not declare', 'has exactly the methods that its capabilities declare', () => ({
    capabilities: { outOfSample: true, online: false },
  })),
  mutant(
    'fits each half of the rows separately',
    'gives rows in blocks the densities of rows in memory',
    (estimator) => ({
      async fitRows(points, options) {
        const half = points.rows >> 1;
        const first = await estimator.fit(await points.read(0, half), options);
        return Float64Array.of(...first, ...(await estimator.fit(await points.read(half, points.rows), options)));
      },
    }),
  ),
  mutant('adds a constant with every fit', 'discards an earlier fit', (estimator) => {
    let seen = 0;
    return {
      fit: async (given, options) => (await estimator.fit(given, options)).map((value) => value + 1e-3 * seen++),
    };
  }),
  mutant(
    'keeps its earlier fit if a fit fails',
    'does not score by an earlier fit after a fit that failed',
    (estimator) => {
      let kept: DensityEstimator | undefined;
      return {
        async fit(given, options) {
          const next = right();
          const density = await next.fit(given, options);
          kept = next;
          return density;
        },
        score: async (given, options) => (kept ?? estimator).score!(given, options),
        update: async (given, options) => (kept ?? estimator).update!(given, options),
      };
    },
  ),
  mutant(
    'stays broken after a fit that failed',
    'does not score by an earlier fit after a fit that failed',
    (estimator) => {
      let isFitted = false;
      let broken = false;
      return {
        async fit(given, options) {
          const density = await estimator.fit(given, options).catch((error: unknown) => {
            broken ||= isFitted && given.data.some((value) => Number.isNaN(value));
            throw error;
          });
          isFitted = true;
          return broken ? density.map((value) => value + 1e-3) : density;
        },
      };
    },
  ),
  mutant(
    'normalizes the points in place',
    'does not modify its input',
    points((given) => {
      given.data[5] = given.data[5]! * 1.0001;
      return given;
    }),
  ),
  mutant(
    'keeps a reference to the points',
    'keeps its fit when the caller overwrites points, densities and scores',
    (estimator) => {
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
    },
  ),
  mutant('scores 0 before a fit', 'fails to score before a fit', (estimator) => ({
    score: (given, options) => estimator.score!(given, options).catch(() => new Float64Array(given.rows)),
  })),
  mutant(
    'reads NaN as 0',
    'rejects points with NaN',
    points((given) => ({ ...given, data: given.data.map((value) => value || 0) })),
  ),
  mutant(
    'ignores numbers beyond rows x columns',
    'rejects points of the wrong shape',
    points((given) => ({ ...given, data: given.data.slice(0, given.rows * given.cols) })),
  ),
  mutant('returns NaN for few rows', 'fits or rejects very few rows', (estimator) => ({
    fit: async (given, options) =>
      given.rows > 5 ? estimator.fit(given, options) : new Float64Array(given.rows).fill(Number.NaN),
  })),
  mutant('writes every fit to the same buffer', 'does not reuse the arrays that it returns', (estimator) => {
    const buffers = new Map<number, Float64Array>();
    return {
      async fit(given, options) {
        const density = await estimator.fit(given, options);
        const buffer = buffers.get(density.length) ?? density;
        buffer.set(density);
        buffers.set(density.length, buffer);
        return buffer;
      },
    };
  }),
  mutant('ignores its signal', 'rejects if its signal is already aborted', ({ fit }) => ({ fit: ignoringSignal(fit) })),
  mutant('hides the reason of an abort', 'rejects with the reason if it is aborted midway', ({ fit }) => ({
    fit: hidingReason(fit),
  })),
];
