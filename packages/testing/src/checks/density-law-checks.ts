import type { DensityEstimator } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureClose, ensureEqual, ensureFinite } from '../ensure.js';
import { clusters, rowsOf } from '../reference/points.js';
import type { DensitySubject } from './density-estimator-checks.js';

const size = 50; // rows a cluster: more than any usual number of neighbours

/** What the numbers must satisfy. */
export function densityLawChecks({
  scalePower,
  adapts = false,
}: Pick<DensitySubject, 'scalePower' | 'adapts'>): ComponentCheck<DensityEstimator>[] {
  return [
    {
      name: 'gives one finite density a row',
      why: 'A NaN or infinite density makes every probability NaN.',
      seed: 1,
      async run({ create, seed }) {
        const density = await (await create()).fit(clusters([0.1, 0.6], size, 16, seed));
        ensure(density.length === 2 * size, `${density.length} densities for ${2 * size} rows`);
        ensureFinite(density, 'densities');
      },
    },
    {
      name: 'says that a tight cluster is denser than a loose one',
      why: 'Larger means more crowded; the other way round trains on the common prompts.',
      seed: 2,
      async run({ create, seed }) {
        const density = await (await create()).fit(clusters([0.05, 0.6], size, 16, seed));
        const [tight, loose] = [mean(density.subarray(0, size)), mean(density.subarray(size))];
        ensure(tight > loose, `mean density ${tight} in the tight cluster and ${loose} in the loose one`);
      },
    },
    {
      name: 'stays finite when rows repeat',
      why: 'Two prompts in five are exact copies in some data sets.',
      seed: 3,
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.3, 0.6], size, 16, seed), [...Array(60).fill(0), ...Array(40).keys()]);
        const density = await (await create()).fit(points);
        ensureFinite(density, 'densities of rows that repeat');
        const copies = density.subarray(0, 60);
        const [first] = copies;
        ensureClose(copies, new Float64Array(60).fill(first!), 1e-9 * Math.abs(first!), 'densities of equal rows');
        ensure(first! >= Math.max(...density), `a row with 60 copies has density ${first}, and others have more`);
      },
    },
    {
      name: 'gives each row the same density in any order',
      why: 'Shuffling a data set must not change what is rare.',
      seed: 4,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const order = Array.from({ length: 2 * size }, (_, at) => (at * 37) % (2 * size));
        const density = await (await create()).fit(points);
        const shuffled = await (await create()).fit(rowsOf(points, order));
        const expected = order.map((row) => density[row]!);
        ensureClose(shuffled, expected, 1e-6 * Math.max(...density), 'densities of shuffled rows');
      },
    },
    {
      name: 'leaves each row out of its own density',
      why: 'A row that counts itself is its own nearest neighbour, and the rarest prompts look crowded.',
      seed: 5,
      requires: {
        capability: 'score, and parameters that no point moves',
        met: ({ capabilities }) => capabilities.outOfSample && !adapts,
      },
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const density = await (await create()).fit(points);
        for (const row of [0, 1, size, 2 * size - 1]) {
          const others = Array.from({ length: 2 * size }, (_, other) => other).filter((other) => other !== row);
          const estimator = await create();
          await estimator.fit(rowsOf(points, others));
          const [alone] = await estimator.score!(rowsOf(points, [row]));
          ensure(
            Math.abs(density[row]! - alone!) <= 1e-6 * Math.abs(alone!),
            `row ${row} has density ${density[row]} among all rows, and ${alone} scored under a fit of the others`,
          );
        }
      },
    },
    {
      name: 'scales as it says',
      why: 'A density whose unit is not what the documentation says cannot be compared between models.',
      seed: 6,
      requires: { capability: 'scalePower in the subject', met: () => scalePower !== undefined },
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const density = await (await create()).fit(points);
        const scaled = await (await create()).fit({ ...points, data: points.data.map((value) => 8 * value) });
        const expected = density.map((value) => value * 8 ** scalePower!);
        ensureClose(scaled, expected, 1e-4 * Math.max(...expected), `densities of points times 8, power ${scalePower}`);
      },
    },
    {
      name: 'gives the same densities twice',
      why: 'Weights are part of an experiment, and an experiment must be repeatable.',
      seed: 7,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const density = await (await create()).fit(points);
        ensureEqual(await (await create()).fit(points), density, 'densities by an equal estimator');
      },
    },
    {
      name: 'scores new points by the fit',
      why: 'A new prompt must fit into the ranking of the old ones.',
      seed: 8,
      requires: { capability: 'score', met: ({ capabilities }) => capabilities.outOfSample },
      async run({ create, seed }) {
        const points = clusters([0.05, 0.6], size + 1, 16, seed);
        const estimator = await create();
        const fitted = Array.from({ length: 2 * (size + 1) }, (_, row) => row).filter((row) => row % (size + 1) < size);
        await estimator.fit(rowsOf(points, fitted));
        const density = await estimator.score!(rowsOf(points, [size, 2 * size + 1]));
        ensureFinite(density, 'scores');
        ensure(
          density.length === 2 && density[0]! > density[1]!,
          `densities ${density} for a crowded and a lonely point`,
        );
      },
    },
    {
      name: 'learns added rows as a new fit would',
      why: 'A stream of prompts must end where one fit of all of them ends.',
      seed: 10,
      requires: {
        capability: 'update and score',
        met: ({ capabilities }) => capabilities.online && capabilities.outOfSample,
      },
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const rows = Array.from({ length: 2 * size }, (_, row) => row);
        const grown = await create();
        await grown.fit(rowsOf(points, rows.slice(0, 70)));
        await grown.update!(rowsOf(points, rows.slice(70)));
        const whole = await create();
        await whole.fit(points);
        const expected = await whole.score!(points);
        ensureClose(await grown.score!(points), expected, 1e-6 * Math.max(...expected), 'scores after an update');
      },
    },
  ];
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
