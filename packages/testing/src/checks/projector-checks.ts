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
import { type ComponentForm, componentChecks } from '../component-checks.js';
import {
  ensure,
  ensureEqual,
  ensureFails,
  ensureFailsOr,
  ensureFailsWith,
  ensureFinite,
  ensureMatrix,
  ensureMethods,
} from '../ensure.js';
import { rowsOf, shuffledClusters } from '../reference/points.js';
import { distanceRankCorrelation } from '../reference/rank-correlation.js';
import { trustworthiness } from '../reference/trustworthiness.js';
import type { Subject } from '../subjects.js';
import {
  leavesInputUnchanged,
  leavesResultsToCaller,
  type MainCall,
  rejectsIfAborted,
  rejectsIfAbortedMidway,
  repeatsResults,
  separatesConcurrentCalls,
} from './life-checks.js';

/** Four clusters need three dimensions, so every axis of a layout has something to show. */
const fourClusters = (seed: number) => shuffledClusters([36, 26, 17, 11], 0.05, 16, seed);
const isDeterministic = {
  capability: 'deterministic layouts',
  met: ({ capabilities }: Projector) => capabilities.deterministic,
};

const project: MainCall<Projector, Matrix> = {
  method: 'project',
  ready: (create) => create(),
  inputs: () => [fourClusters(3), fourClusters(103)],
  call: async (projector, points, signal) => ({
    layout: (await lastLayout(projector, points, { dimensions: 2, signal })).data,
  }),
  tolerance: ({ capabilities }) => (capabilities.deterministic ? 0 : Infinity), // Infinity: any finite layout of this size
};

const form: ComponentForm<Projector> = {
  methods: ['project'],
  async results(projector) {
    const layouts = projector.project(fourClusters(1), { dimensions: 2 });
    ensureMethods(layouts, [Symbol.asyncIterator], 'the result of project');
    for await (const layout of layouts) ensureMatrix(layout, 'a layout');
  },
};

/** The checks of every projector. `create` makes projectors with the same options and seed that accept 90 rows. */
export function projectorChecks(subject: Subject<Projector>): Check[] {
  return componentChecks('projector', subject, form, [
    {
      name: 'lays out every point in two and in three dimensions',
      why: 'A view matches points with prompts by their index, and cannot draw NaN.',
      seed: 1,
      async run({ create, seed }) {
        const points = fourClusters(seed);
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
      why: 'A picture that mixes the clusters of the prompt space, or shows a point at the place of another one, is wrong.',
      seed: 1,
      async run({ create, seed }) {
        const points = fourClusters(seed);
        for (const dimensions of [2, 3] as const) {
          const kept = trustworthiness(points, await lastLayout(await create(), points, { dimensions }), 10);
          const seen = `trustworthiness is ${kept.toFixed(3)} in ${dimensions} dimensions`;
          ensure(kept > 0.8, `${seen}, but must be above 0.8; a random layout has about 0.5`);
        }
      },
    },
    {
      name: 'places distant points further apart than near ones',
      why: 'Users read the distance between two clusters in a picture as the distance between their prompts.',
      seed: 1,
      async run({ create, seed }) {
        const points = fourClusters(seed);
        for (const dimensions of [2, 3] as const) {
          const kept = distanceRankCorrelation(points, await lastLayout(await create(), points, { dimensions }));
          const seen = `the rank correlation of distances is ${kept.toFixed(3)} in ${dimensions} dimensions`;
          ensure(kept > 0.2, `${seen}, but must be above 0.2; a random layout has about 0`);
        }
      },
    },
    {
      name: 'spreads points along every axis',
      why: 'A flat axis turns a view in space into a plane, and a view in the plane into a line.',
      seed: 2,
      async run({ create, seed }) {
        const points = fourClusters(seed);
        for (const dimensions of [2, 3] as const) {
          const layout = await lastLayout(await create(), points, { dimensions });
          const spreads = axesOf(layout).map(spreadOf);
          const [flattest, widest] = [Math.min(...spreads), Math.max(...spreads)];
          const seen = `the standard deviations of the ${dimensions} axes are ${spreads.map((spread) => spread.toPrecision(3)).join(', ')}`;
          ensure(flattest > 0.05 * widest, `${seen}, but each must be above 5 % of the largest`);
          for (const [axis, share] of ownShares(layout).entries()) {
            ensure(
              share > 0.002,
              `axis ${axis} of ${dimensions} is a linear combination of the others, up to ${(100 * share).toPrecision(2)} % of its variance, so it shows nothing of its own; the least is 0.2 %`,
            );
          }
        }
      },
    },
    {
      name: 'can be stopped early',
      why: 'Users stop as soon as they like a layout, and then project again.',
      seed: 4,
      async run({ create, seed }) {
        const points = fourClusters(seed);
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
        const expected = await lastLayout(await create(), fourClusters(seed), { dimensions: 2 });
        let final = new Float32Array();
        for await (const layout of (await create()).project(fourClusters(seed), { dimensions: 2 })) {
          final = layout.data.slice();
          layout.data.fill(99);
        }
        ensureEqual(final, expected.data, 'the final layout after the caller overwrote the earlier ones');
      },
    },
    {
      name: 'yields every layout in an array of its own',
      why: 'A slider over the rounds keeps all layouts. In a reused array, all of them would show the last round.',
      seed: 6,
      async run({ create, seed }) {
        const held: { readonly data: Float32Array; readonly copy: Float32Array }[] = [];
        for await (const { data } of (await create()).project(fourClusters(seed), { dimensions: 2 })) {
          const earlier = held.findIndex((other) => other.data === data);
          ensure(earlier < 0, `layouts ${earlier} and ${held.length} are in the same array`);
          held.push({ data, copy: data.slice() });
        }
        for (const [index, { data, copy }] of held.entries()) {
          ensureEqual(data, copy, `layout ${index} after ${held.length - 1 - index} later ones`);
        }
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
            async () => lastLayout(await create(), rowsOf(fourClusters(seed), order), { dimensions: 3 }),
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
        const points = fourClusters(seed);
        const spoiled = { ...points, data: points.data.slice() };
        spoiled.data[7] = Number.NaN;
        const attempt = (given: Matrix, dimensions: number) => async () =>
          lastLayout(await create(), given, { dimensions: dimensions as 2 });
        await ensureFailsWith(attempt(spoiled, 2), NotFiniteError, 'points with NaN');
        await ensureFailsWith(attempt({ ...points, cols: 15 }, 2), ShapeError, 'a 90 x 15 matrix with 1440 numbers');
        await ensureFailsWith(attempt(points, 4), InvalidArgumentError, 'a layout in 4 dimensions');
      },
    },
    {
      name: 'rejects if it is aborted between two layouts',
      why: 'Users stop a projection that takes minutes, and the program must not go on with a layout that looks final.',
      seed: 9,
      async run({ create, seed }) {
        const points = fourClusters(seed);
        let layouts = 0;
        for await (const _ of (await create()).project(points, { dimensions: 2 })) layouts++;
        if (layouts < 2) return; // no moment between two layouts
        const controller = new AbortController();
        const reason = new Error('stopped by the check');
        const rounds = (await create()).project(points, { dimensions: 2, signal: controller.signal });
        const iterator = rounds[Symbol.asyncIterator]();
        await iterator.next();
        controller.abort(reason);
        const error = await ensureFails(() => iterator.next(), `the second of ${layouts} layouts after an abort`);
        ensure(error === reason, `an abort after the first layout: expected the signal's reason, got ${error}`);
      },
    },
    leavesInputUnchanged(project),
    leavesResultsToCaller(project),
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

/** Each column, less its mean. */
function axesOf({ data, rows, cols }: Matrix): Float64Array[] {
  return Array.from({ length: cols }, (_, axis) => {
    const values = Float64Array.from({ length: rows }, (_, row) => data[row * cols + axis]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / rows;
    return values.map((value) => value - mean);
  });
}

/** Standard deviation of an axis. */
function spreadOf(axis: Float64Array): number {
  return Math.sqrt(product(axis, axis) / axis.length);
}

/** The share of the variance of each axis that no linear combination of the other axes has. No axis may be flat. */
function ownShares(layout: Matrix): number[] {
  const axes = axesOf(layout);
  return axes.map((axis, index) => {
    const directions: Float64Array[] = []; // orthogonal, by Gram-Schmidt
    for (const other of axes.toSpliced(index, 1)) directions.push(remainder(other, directions));
    const own = remainder(axis, directions);
    return product(own, own) / product(axis, axis);
  });
}

/** What is left of an axis after its projections on orthogonal directions are subtracted. */
function remainder(axis: Float64Array, directions: readonly Float64Array[]): Float64Array {
  return directions.reduce((left, direction) => {
    const square = product(direction, direction);
    const scale = square > 0 ? product(left, direction) / square : 0;
    return left.map((value, row) => value - scale * direction[row]!);
  }, axis);
}

function product(one: Float64Array, other: Float64Array): number {
  return one.reduce((sum, value, row) => sum + value * other[row]!, 0);
}

function ensureLayout({ data, rows, cols }: Matrix, points: number, dimensions: number, what: string): void {
  ensure(
    rows === points && cols === dimensions && data.length === rows * cols,
    `expected ${what} to be ${points} x ${dimensions}, got ${rows} x ${cols} with ${data.length} numbers`,
  );
  ensureFinite(data, what);
}
