import {
  type DensityEstimator,
  type Matrix,
  NotFiniteError,
  NotFittedError,
  RarefyError,
  ShapeError,
} from '@rarefy/core';
import type { Check } from '../check.js';
import { type ComponentCheck, type ComponentForm, componentChecks } from '../component-checks.js';
import {
  ensure,
  ensureClose,
  ensureEqual,
  ensureFailsOr,
  ensureFailsWith,
  ensureFinite,
  ensureTyped,
} from '../ensure.js';
import { clusters, rowsOf, sourceOf } from '../reference/points.js';
import { needed } from '../subject-members.js';
import type { DensitySubject } from '../subjects.js';
import {
  leavesInputUnchanged,
  leavesResultsToCaller,
  type MainCall,
  rejectsIfAborted,
  rejectsIfAbortedMidway,
  repeatsResults,
} from './life-checks.js';

const size = 50; // rows per cluster: more than any usual number of neighbors
const allRows = Array.from({ length: 2 * size }, (_, row) => row);
const twoClusters = (seed: number) => clusters([0.1, 0.6], size, 16, seed);
const comparesAllRows = {
  capability: 'densities that compare all rows',
  met: ({ capabilities }: DensityEstimator) => !capabilities.relative,
};
const scores = { capability: 'score', met: ({ capabilities }: DensityEstimator) => capabilities.outOfSample };

/**
 * The checks of every density estimator. An estimator with the capability `relative` compares each row with its own neighborhood.
 * These checks do not apply to it:
 * - larger densities for a tight cluster than for a loose one, in a fit and in scores: both clusters have about the same;
 * - the largest density for a row with many copies: it is as crowded as its neighbors, the copies. Equal rows still need equal
 *   densities;
 * - a fit without a row gives that row the same density: its neighbors' own neighborhoods change too.
 *
 * Instead, a row beside a tight cluster must have a lower density than the rows of a tight and of a loose cluster.
 */
export function densityEstimatorChecks(subject: DensitySubject): Check[] {
  return componentChecks('density-estimator', subject, form, [
    ...densityChecks(subject),
    ...fitChecks,
    leavesInputUnchanged(fit),
    leavesResultsToCaller(fit),
    repeatsResults(fit),
    rejectsIfAborted(fit),
    rejectsIfAbortedMidway(fit),
  ]);
}

const form: ComponentForm<DensityEstimator> = {
  methods: ['fit'],
  results: async (estimator) => ensureTyped(await estimator.fit(twoClusters(7)), 'Float64Array', 'the result of fit'),
};

const fit: MainCall<DensityEstimator, Matrix> = {
  method: 'fit',
  ready: (create) => create(),
  inputs: () => [twoClusters(7), twoClusters(9)],
  call: async (estimator, points, signal) => ({ density: await estimator.fit(points, { signal }) }),
  otherCalls: (estimator) =>
    estimator.capabilities.outOfSample ? [(signal) => estimator.score!(rowsOf(twoClusters(7), [0]), { signal })] : [],
};

/** What densities must satisfy. */
function densityChecks({ scalePower, adapts = false }: DensitySubject): ComponentCheck<DensityEstimator>[] {
  return [
    {
      name: 'returns one finite density per row',
      why: 'A single NaN or infinite density makes every probability NaN, and weightings refuse negative ones.',
      seed: 1,
      async run({ create, seed }) {
        const density = await (await create()).fit(twoClusters(seed));
        ensure(
          density.length === 2 * size,
          `expected ${2 * size} densities for ${2 * size} rows, got ${density.length}`,
        );
        ensureFinite(density, 'densities');
        const negative = density.findIndex((value) => value < 0);
        ensure(negative < 0, `expected densities ≥ 0, got ${density[negative]} at index ${negative}`);
      },
    },
    {
      name: 'returns larger densities for a tight cluster than for a loose one',
      why: 'Larger means more crowded. The opposite would oversample the common prompts.',
      seed: 2,
      requires: comparesAllRows,
      async run({ create, seed }) {
        const density = await (await create()).fit(clusters([0.05, 0.6], size, 16, seed));
        ensureDenser(density.subarray(0, size), density.subarray(size), 'densities');
      },
    },
    {
      name: 'returns a lower density for a row beside a tight cluster than for either cluster',
      why: 'Relative densities must find the rows that are rare in their own neighborhood, and only those.',
      seed: 14,
      requires: { capability: 'relative densities', met: ({ capabilities }) => capabilities.relative === true },
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.01, 0.6], size, 16, seed), [...allRows, 0]);
        const beside = points.data.subarray(2 * size * 16);
        beside[0] = beside[0]! + 0.3; // far for the tight cluster, nearer than neighbors in the loose one
        const density = await (await create()).fit(points);
        const [tight, loose] = [mean(density.subarray(0, size)), mean(density.subarray(size, 2 * size))];
        const row = density[2 * size]!;
        ensure(
          row < 0.8 * Math.min(tight, loose),
          `the row has density ${row}, but must have less than 80 % of the means of the tight and the loose cluster, ${tight} and ${loose}`,
        );
        const ratio = tight / loose;
        ensure(
          ratio > 1 / 3 && ratio < 3,
          `the mean density is ${tight} in the tight cluster and ${loose} in the loose one, but relative densities must be within a factor of 3`,
        );
      },
    },
    {
      name: 'returns finite and equal densities for duplicates',
      why: 'Some data sets consist of 40 % exact duplicates.',
      seed: 3,
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.3, 0.6], size, 16, seed), [...Array(60).fill(0), ...Array(40).keys()]);
        const estimator = await create();
        const density = await estimator.fit(points);
        ensureFinite(density, 'densities of points with duplicates');
        const [first] = density;
        const equal = new Float64Array(60).fill(first!);
        ensureClose(density.subarray(0, 60), equal, 1e-9 * Math.abs(first!), 'densities of equal rows');
        if (estimator.capabilities.relative) return;
        const largest = Math.max(...density);
        ensure(first! >= largest, `a row with 60 copies has density ${first}, but another row has ${largest}`);
      },
    },
    {
      name: 'does not depend on the order of rows',
      why: 'Shuffling a data set must not change which prompts are rare.',
      seed: 4,
      async run({ create, seed }) {
        const points = twoClusters(seed);
        const order = allRows.map((row) => (row * 37) % (2 * size));
        const density = await (await create()).fit(points);
        const shuffled = await (await create()).fit(rowsOf(points, order));
        const expected = order.map((row) => density[row]!);
        ensureClose(shuffled, expected, 1e-6 * Math.max(...density), 'densities of shuffled rows');
      },
    },
    {
      name: 'excludes each row from its own density',
      why: 'A row that counts itself is its own nearest neighbor, and the rarest prompts look crowded.',
      seed: 5,
      requires: {
        capability: 'score, densities that compare all rows, and parameters that do not depend on the points',
        met: ({ capabilities }) => capabilities.outOfSample && !capabilities.relative && !adapts,
      },
      async run({ create, seed }) {
        const points = twoClusters(seed);
        const density = await (await create()).fit(points);
        for (const row of [0, 1, size, 2 * size - 1]) {
          const estimator = await create();
          const others = allRows.filter((other) => other !== row);
          await estimator.fit(rowsOf(points, others));
          const [alone] = await estimator.score!(rowsOf(points, [row]));
          ensure(
            Math.abs(density[row]! - alone!) <= 1e-6 * Math.abs(alone!),
            `row ${row} has density ${density[row]} in a fit of all rows, but its score in a fit of the other rows is ${alone}; fit and score disagree: either a row counts itself, or they use different formulas, or a density compares the row with its own neighborhood (then declare capabilities.relative: true)`,
          );
        }
      },
    },
    {
      name: 'scales with the points as declared',
      why: 'Densities in an unknown unit cannot be compared between models.',
      seed: 6,
      requires: { capability: needed('density-estimator', 'scalePower'), met: () => scalePower !== undefined },
      async run({ create, seed }) {
        const points = twoClusters(seed);
        const density = await (await create()).fit(points);
        const scaled = await (await create()).fit({ ...points, data: points.data.map((value) => 8 * value) });
        const expected = density.map((value) => value * 8 ** scalePower!);
        const what = `densities of points multiplied by 8, at scalePower ${scalePower}`;
        ensureClose(scaled, expected, 1e-4 * Math.max(...expected), what);
      },
    },
    {
      name: 'scores new points consistently with the fit',
      why: 'A new prompt must fit into the ranking of the old ones.',
      seed: 8,
      requires: {
        capability: 'score, and densities that compare all rows',
        met: (estimator) => scores.met(estimator) && comparesAllRows.met(estimator),
      },
      async run({ create, seed }) {
        const held = 25; // rows of each cluster that are scored and not fitted
        const points = clusters([0.05, 0.6], size + held, 16, seed);
        const rowsFrom = (first: number, count: number) => Array.from({ length: count }, (_, row) => first + row);
        const estimator = await create();
        await estimator.fit(rowsOf(points, [...rowsFrom(0, size), ...rowsFrom(size + held, size)]));
        const scores = await estimator.score!(
          rowsOf(points, [...rowsFrom(size, held), ...rowsFrom(2 * size + held, held)]),
        );
        ensure(scores.length === 2 * held, `expected ${2 * held} scores for ${2 * held} rows, got ${scores.length}`);
        ensureFinite(scores, 'scores');
        ensureDenser(scores.subarray(0, held), scores.subarray(held), 'scores');
      },
    },
    {
      name: 'gives the same scores after update as after a fit of all rows',
      why: 'A stream of prompts must end with the densities of one fit of all prompts.',
      seed: 10,
      requires: {
        capability: 'update and score',
        met: ({ capabilities }) => capabilities.online && capabilities.outOfSample,
      },
      async run({ create, seed }) {
        const points = twoClusters(seed);
        const grown = await create();
        await grown.fit(rowsOf(points, allRows.slice(0, 70)));
        await grown.update!(rowsOf(points, allRows.slice(70)));
        const whole = await create();
        await whole.fit(points);
        const expected = await whole.score!(points);
        ensureClose(await grown.score!(points), expected, 1e-6 * Math.max(...expected), 'scores after an update');
      },
    },
  ];
}

/** Methods, repeated fits, buffers and invalid input. */
const fitChecks: readonly ComponentCheck<DensityEstimator>[] = [
  {
    name: 'has exactly the methods that its capabilities declare',
    why: 'Callers read the capabilities once and then call the methods without another check.',
    async run({ create }) {
      const { capabilities, score, update } = await create();
      const state = (method: unknown) => (typeof method === 'function' ? 'exists' : 'does not exist');
      const { outOfSample, online } = capabilities;
      ensure(outOfSample === (score !== undefined), `outOfSample is ${outOfSample}, but score ${state(score)}`);
      ensure(online === (update !== undefined), `online is ${online}, but update ${state(update)}`);
    },
  },
  {
    name: 'discards an earlier fit',
    why: 'Prompts are embedded and fitted again during a run.',
    seed: 5,
    async run({ create, seed }) {
      const points = twoClusters(seed);
      const estimator = await create();
      await estimator.fit(clusters([0.3, 0.3], size, 12, seed + 1));
      ensureEqual(await estimator.fit(points), await (await create()).fit(points), 'densities of a second fit');
    },
  },
  {
    name: 'does not score by an earlier fit after a fit that failed',
    why: 'The caller asked for densities among other rows. Scores of the old ones look right and are wrong.',
    seed: 15,
    requires: scores,
    async run({ create, seed }) {
      const points = twoClusters(seed);
      const estimator = await create();
      await estimator.fit(points);
      const spoiled = { ...points, data: points.data.slice() };
      spoiled.data[0] = Number.NaN;
      const isRefused = await estimator.fit(spoiled).then(
        () => false,
        () => true,
      );
      if (!isRefused) return; // another check
      const score = () => estimator.score!(rowsOf(points, [1]));
      await ensureFailsWith(
        score,
        NotFittedError,
        'a score after a fit that failed, although an earlier one succeeded',
      );
      const density = await estimator.fit(points);
      ensureEqual(density, await (await create()).fit(points), 'densities of a fit after one that failed');
    },
  },
  {
    name: 'gives rows in blocks the densities of rows in memory',
    why: 'The size of a data set must not change its densities.',
    seed: 6,
    requires: { capability: 'fitRows', met: ({ fitRows }) => fitRows !== undefined },
    async run({ create, seed }) {
      const points = rowsOf(twoClusters(seed), [...allRows, 0, 7]);
      const found = await (await create()).fitRows!(sourceOf(points));
      ensureEqual(found, await (await create()).fit(points), 'densities of rows in blocks');
    },
  },
  {
    name: 'keeps its fit when the caller overwrites points, densities and scores',
    why: 'Embedding buffers are reused, and weightings overwrite densities in place.',
    seed: 8,
    requires: scores,
    async run({ create, seed }) {
      const points = twoClusters(seed);
      const queries = rowsOf(points, [0, size]);
      const estimator = await create();
      const density = await estimator.fit(points);
      const expected = (await estimator.score!(queries)).slice();
      density.fill(-1);
      points.data.fill(0.25);
      const first = await estimator.score!(queries);
      ensureEqual(first, expected, 'scores after the caller overwrote points and densities');
      first.fill(-1);
      ensureEqual(await estimator.score!(queries), expected, 'scores after the caller overwrote earlier scores');
    },
  },
  {
    name: 'fails to score before a fit',
    why: 'A score without data would be made up.',
    seed: 9,
    requires: scores,
    async run({ create, seed }) {
      const estimator = await create();
      await ensureFailsWith(
        () => estimator.score!(clusters([0.1], 2, 16, seed)),
        NotFittedError,
        'a score before a fit',
      );
    },
  },
  {
    name: 'rejects points with NaN',
    why: 'A single invalid embedding would make its neighbors look rare.',
    seed: 11,
    async run({ create, seed }) {
      const points = twoClusters(seed);
      points.data[5 * 16] = Number.NaN;
      const estimator = await create();
      await ensureFailsWith(() => estimator.fit(points), NotFiniteError, 'points with NaN in row 5');
    },
  },
  {
    name: 'rejects points of the wrong shape',
    why: 'Embeddings of another model would be compared with these and give plausible numbers.',
    seed: 12,
    async run({ create, seed }) {
      const points = twoClusters(seed);
      const estimator = await create();
      const misshapen = { ...points, cols: 15 };
      await ensureFailsWith(() => estimator.fit(misshapen), ShapeError, 'a 100 x 15 matrix with 1600 numbers');
      if (!estimator.capabilities.outOfSample) return;
      await estimator.fit(points);
      const narrow = clusters([0.1], 2, 12, seed);
      await ensureFailsWith(() => estimator.score!(narrow), ShapeError, 'a score of 12 columns after a fit of 16');
    },
  },
  {
    name: 'fits or rejects very few rows',
    why: 'A tiny data set must give numbers or a clear error, never NaN.',
    seed: 13,
    async run({ create, seed }) {
      for (const rows of [0, 1, 2, 5]) {
        const few = rowsOf(twoClusters(seed), allRows.slice(0, rows));
        await ensureFailsOr(
          async () => (await create()).fit(few),
          RarefyError,
          (density) => {
            ensure(density.length === rows, `expected ${rows} densities for ${rows} rows, got ${density.length}`);
            ensureFinite(density, `densities of ${rows} rows`);
          },
          `a fit of ${rows} rows`,
        );
      }
    },
  },
];

/**
 * Compares the rows of a tight cluster with those of a loose one. Every density that compares all rows is larger in nearly every
 * pair; one that compares a row with its own neighborhood is larger in about half of them.
 */
function ensureDenser(tight: Float64Array, loose: Float64Array, what: string): void {
  let larger = 0;
  for (const one of tight) for (const other of loose) larger += one > other ? 1 : one === other ? 0.5 : 0;
  const share = larger / (tight.length * loose.length);
  const cause =
    share < 0.2
      ? 'larger must mean more crowded, but the sign is the opposite'
      : 'if a density compares a row with its own neighborhood, as the local outlier factor does, declare capabilities.relative: true';
  ensure(
    share > 0.8,
    `${what} are larger in the tight cluster than in the loose one for only ${Math.round(100 * share)} % of the pairs of rows, but must be for more than 80 %; ${cause}`,
  );
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
