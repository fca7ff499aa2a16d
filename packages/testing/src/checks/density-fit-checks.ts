import { type DensityEstimator, NotFiniteError, NotFittedError, RarefyError, ShapeError } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import {
  ensure,
  ensureAborts,
  ensureAbortsMidway,
  ensureEqual,
  ensureFailsWith,
  ensureFinite,
  ensureRefusesOr,
} from '../ensure.js';
import { clusters, rowsOf, sourceOf } from '../reference/points.js';

const size = 50;
const score = { capability: 'score', met: ({ capabilities }: DensityEstimator) => capabilities.outOfSample };

/** Fits one after the other, buffers, wrong input and aborts. */
export function densityFitChecks(): ComponentCheck<DensityEstimator>[] {
  return [
    {
      name: 'has the methods that its capabilities declare',
      why: 'Loops ask the capabilities once and call without a further question.',
      async run({ create }) {
        const { capabilities, score, update } = await create();
        const state = (method: unknown) => (typeof method === 'function' ? 'is there' : 'is not');
        const { outOfSample, online } = capabilities;
        ensure(outOfSample === (score !== undefined), `outOfSample is ${outOfSample} and score ${state(score)}`);
        ensure(online === (update !== undefined), `online is ${online} and update ${state(update)}`);
      },
    },
    {
      name: 'forgets an earlier fit',
      why: 'Re-embedding during a run fits again and again.',
      seed: 5,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const estimator = await create();
        await estimator.fit(clusters([0.3, 0.3], size, 12, seed + 1));
        ensureEqual(await estimator.fit(points), await (await create()).fit(points), 'densities of a second fit');
      },
    },
    {
      name: 'measures rows that come in blocks as rows in memory',
      why: 'What does not fit in memory must not have another density.',
      seed: 6,
      requires: { capability: 'fitRows', met: ({ fitRows }: DensityEstimator) => fitRows !== undefined },
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.1, 0.6], size, 16, seed), [...Array(2 * size).keys(), 0, 7]);
        const found = await (await create()).fitRows!(sourceOf(points));
        ensureEqual(found, await (await create()).fit(points), 'densities of rows in blocks');
      },
    },
    {
      name: 'leaves the points as they are',
      why: 'The same embeddings go to the layout and to disk.',
      seed: 7,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const before = points.data.slice();
        await (await create()).fit(points);
        ensureEqual(points.data, before, 'the points after a fit');
      },
    },
    {
      name: 'copies the points and gives its densities away',
      why: 'Embedding buffers are reused, and weightings overwrite densities in place.',
      seed: 8,
      requires: score,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const queries = rowsOf(points, [0, size]);
        const estimator = await create();
        const density = await estimator.fit(points);
        const expected = (await estimator.score!(queries)).slice();
        density.fill(-1);
        points.data.fill(0.25);
        const first = await estimator.score!(queries);
        ensureEqual(first, expected, 'scores after the caller reused its buffers');
        first.fill(-1);
        ensureEqual(await estimator.score!(queries), expected, 'scores after the caller overwrote earlier ones');
      },
    },
    {
      name: 'refuses to score before a fit',
      why: 'A density without data would be made up.',
      seed: 9,
      requires: score,
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
      name: 'refuses a NaN',
      why: 'One bad embedding would make its neighbours look rare.',
      seed: 11,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        points.data[5 * 16] = Number.NaN;
        const estimator = await create();
        await ensureFailsWith(() => estimator.fit(points), NotFiniteError, 'a NaN');
      },
    },
    {
      name: 'refuses points of another shape',
      why: 'Embeddings of another model would be measured against these, and give numbers.',
      seed: 12,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const estimator = await create();
        await ensureFailsWith(
          () => estimator.fit({ ...points, cols: 15 }),
          ShapeError,
          'a matrix of 100 x 15 with 1600 numbers',
        );
        if (!estimator.capabilities.outOfSample) return;
        await estimator.fit(points);
        await ensureFailsWith(
          () => estimator.score!(clusters([0.1], 2, 12, seed)),
          ShapeError,
          'a score of 12 columns under a fit of 16',
        );
      },
    },
    {
      name: 'answers or refuses too few rows',
      why: 'A tiny data set must end in a sentence or in numbers, never in NaN.',
      seed: 13,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        for (const rows of [0, 1, 2, 5]) {
          const few = rowsOf(points, [...Array(rows).keys()]);
          await ensureRefusesOr(
            async () => (await create()).fit(few),
            RarefyError,
            (density) => {
              ensure(density.length === rows, `${density.length} densities for ${rows} rows`);
              ensureFinite(density, `densities of ${rows} rows`);
            },
            `a fit of ${rows} rows`,
          );
        }
      },
    },
    {
      name: 'stops when it is told to',
      why: 'A long fit must be stoppable, and say why it stopped.',
      seed: 14,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const expected = await (await create()).fit(points);
        const estimator = await create();
        await ensureAborts((signal) => estimator.fit(points, { signal }));
        ensureEqual(await estimator.fit(points), expected, 'densities after an abort');
        if (!estimator.capabilities.outOfSample) return;
        await ensureAborts((signal) => estimator.score!(rowsOf(points, [0]), { signal }));
      },
    },
    {
      name: 'stops in the middle of a fit',
      why: 'Ctrl-C during a fit must not leave half of it in force.',
      seed: 15,
      async run({ create, seed }) {
        const points = clusters([0.1, 0.6], size, 16, seed);
        const expected = await (await create()).fit(points);
        const estimator = await create();
        await ensureAbortsMidway(
          (signal) => estimator.fit(points, { signal }),
          (density) => ensureEqual(density, expected, 'densities of a fit that was quicker than the abort'),
        );
        ensureEqual(await estimator.fit(points), expected, 'densities after an aborted fit');
      },
    },
  ];
}
