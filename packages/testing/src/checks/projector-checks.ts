import {
  InvalidArgumentError,
  type Matrix,
  NotFiniteError,
  type ProjectOptions,
  type Projector,
  RarefyError,
  ShapeError,
} from '@rarefy/core';
import type { Check } from '../check.js';
import { componentChecks } from '../component-checks.js';
import { ensure, ensureEqual, ensureFailsOr, ensureFailsWith, ensureFinite } from '../ensure.js';
import { clusters, rowsOf } from '../reference/points.js';
import { trustworthiness } from '../reference/trustworthiness.js';
import type { Subject } from '../subjects.js';
import {
  leavesInputUnchanged,
  type MainCall,
  rejectsIfAborted,
  rejectsIfAbortedMidway,
  repeatsResults,
  separatesConcurrentCalls,
} from './life-checks.js';

const threeClusters = (seed: number) => clusters([0.05, 0.05, 0.05], 30, 16, seed);
const isDeterministic = {
  capability: 'deterministic layouts',
  met: ({ capabilities }: Projector) => capabilities.deterministic,
};

const project: MainCall<Projector, Matrix> = {
  method: 'project',
  ready: (create) => create(),
  inputs: () => [threeClusters(3), threeClusters(103)],
  call: async (projector, points, signal) => ({
    layout: (await lastLayout(projector, points, { dimensions: 2, signal })).data,
  }),
  tolerance: ({ capabilities }) => (capabilities.deterministic ? 0 : Infinity), // Infinity: any finite layout of this size
};

/** The checks of every projector. `create` makes projectors with the same options and seed that accept 90 rows. */
export function projectorChecks(subject: Subject<Projector>): Check[] {
  return componentChecks('projector', subject, [
    {
      name: 'lays out every point in two and in three dimensions',
      why: 'A view matches points with prompts by their index, and cannot draw NaN.',
      seed: 1,
      async run({ create, seed }) {
        const points = threeClusters(seed);
        for (const dimensions of [2, 3] as const) {
          let layouts = 0;
          for await (const layout of (await create()).project(points, { dimensions })) {
            ensureLayout(layout, points.rows, dimensions, `layout ${layouts++}`);
          }
          ensure(layouts > 0, `the projector yielded no layout in ${dimensions} dimensions`);
        }
      },
    },
    {
      name: 'keeps neighbors together',
      why: 'A picture that mixes the clusters of the prompt space shows nothing.',
      seed: 1,
      async run({ create, seed }) {
        const points = threeClusters(seed);
        for (const dimensions of [2, 3] as const) {
          const kept = trustworthiness(points, await lastLayout(await create(), points, { dimensions }), 10);
          const seen = `trustworthiness is ${kept.toFixed(3)} in ${dimensions} dimensions`;
          ensure(kept > 0.8, `${seen}, but must be above 0.8; a random layout has about 0.5`);
        }
      },
    },
    {
      name: 'can be stopped early',
      why: 'Users stop as soon as they like a layout, and then project again.',
      seed: 4,
      async run({ create, seed }) {
        const points = threeClusters(seed);
        const projector = await create();
        for await (const layout of projector.project(points, { dimensions: 3 })) {
          ensureLayout(layout, points.rows, 3, 'the first layout');
          break;
        }
        const layout = await lastLayout(projector, points, { dimensions: 3 });
        ensureLayout(layout, points.rows, 3, 'the layout after an early stop');
      },
    },
    {
      name: 'does not read back the layouts that it yields',
      why: 'Callers scale each layout in place while the next one is computed.',
      seed: 5,
      requires: isDeterministic,
      async run({ create, seed }) {
        const expected = await lastLayout(await create(), threeClusters(seed), { dimensions: 2 });
        let final = new Float32Array();
        for await (const layout of (await create()).project(threeClusters(seed), { dimensions: 2 })) {
          final = layout.data.slice();
          layout.data.fill(99);
        }
        ensureEqual(final, expected.data, 'the final layout after the caller overwrote the earlier ones');
      },
    },
    {
      name: 'lays out or rejects few points and equal points',
      why: 'A first try has three prompts, and a bad data set has one prompt a hundred times.',
      seed: 7,
      async run({ create, seed }) {
        const orders = [0, 1, 2, 3, 4, 8].map((rows) => [...Array(rows).keys()]);
        for (const order of [...orders, Array<number>(40).fill(0), [...Array<number>(40).fill(0), 1, 50]]) {
          const what = `${order.length} points with ${new Set(order).size} different ones`;
          await ensureFailsOr(
            async () => lastLayout(await create(), rowsOf(threeClusters(seed), order), { dimensions: 3 }),
            RarefyError,
            (layout) => ensureLayout(layout, order.length, 3, `the layout of ${what}`),
            what,
          );
        }
      },
    },
    {
      name: 'rejects NaN, a wrong shape and other dimensions than 2 and 3',
      why: 'A single NaN moves every point, and the picture is empty for no visible reason.',
      seed: 8,
      async run({ create, seed }) {
        const points = threeClusters(seed);
        const spoiled = { ...points, data: points.data.slice() };
        spoiled.data[7] = Number.NaN;
        const attempt = (given: Matrix, dimensions: number) => async () =>
          lastLayout(await create(), given, { dimensions: dimensions as 2 });
        await ensureFailsWith(attempt(spoiled, 2), NotFiniteError, 'points with NaN');
        await ensureFailsWith(attempt({ ...points, cols: 15 }, 2), ShapeError, 'a 90 x 15 matrix with 1440 numbers');
        await ensureFailsWith(attempt(points, 4), InvalidArgumentError, 'a layout in 4 dimensions');
      },
    },
    leavesInputUnchanged(project),
    { ...separatesConcurrentCalls(project), requires: isDeterministic },
    repeatsResults(project, isDeterministic),
    rejectsIfAborted(project),
    rejectsIfAbortedMidway(project),
  ]);
}

/** The final layout. */
async function lastLayout(projector: Projector, points: Matrix, options: ProjectOptions): Promise<Matrix> {
  let final: Matrix | undefined;
  for await (const layout of projector.project(points, options)) final = layout;
  ensure(final !== undefined, 'the projector yielded no layout');
  return final;
}

function ensureLayout({ data, rows, cols }: Matrix, points: number, dimensions: number, what: string): void {
  ensure(
    rows === points && cols === dimensions && data.length === rows * cols,
    `expected ${what} to be ${points} x ${dimensions}, got ${rows} x ${cols} with ${data.length} numbers`,
  );
  ensureFinite(data, what);
}
