import { counterRandom, type Matrix, type ProjectOptions, type Projector } from '@rarefy/core';
import { landmarkProjector } from '../src/reference/landmark-projector.js';
import type { Subject } from '../src/subjects.js';
import { altered, identityMutants, type Mutant, returning, turn } from './mutant.js';

type Project = (points: Matrix, options: ProjectOptions) => AsyncIterable<Matrix>;

const mutant = (name: string, caughtBy: string, change: (right: Project) => Project): Mutant<Subject<Projector>> => ({
  name,
  caughtBy,
  subject: {
    create() {
      const projector = landmarkProjector();
      return altered(projector, { project: change(projector.project) });
    },
  },
});

/** The correct projector with every number of its layouts passed through `change`. */
const numbers =
  (change: (value: number, index: number, layout: Matrix) => number) =>
  (right: Project): Project =>
    async function* (points, options) {
      for await (const layout of right(points, options)) {
        yield { ...layout, data: layout.data.map((value, index) => change(value, index, layout)) };
      }
    };

/** The correct projector with its rows in the order of `source`: row r shows the point `source(r, rows)`. */
const rows =
  (source: (row: number, rows: number) => number): ((right: Project) => Project) =>
  (right) =>
    async function* (points, options) {
      for await (const { data, rows, cols } of right(points, options)) {
        const moved = data.map((_, index) => data[source(Math.floor(index / cols), rows) * cols + (index % cols)]!);
        yield { data: moved, rows, cols };
      }
    };

const random = counterRandom(1);
let runs = 0;

export const projectorMutants: readonly Mutant<Subject<Projector>>[] = [
  ...identityMutants(landmarkProjector),
  returning(landmarkProjector, 'project', async () => ({ data: new Float32Array(180), rows: 90, cols: 2 })),
  mutant(
    'always returns two dimensions',
    'lays out every point in two and in three dimensions',
    (right) => (points, options) =>
      right(points, { ...options, dimensions: options.dimensions === 3 ? 2 : options.dimensions }),
  ),
  mutant(
    'places points at random',
    'keeps neighbors together',
    numbers((_, index) => random.uniform(index)),
  ),
  mutant(
    'returns its rows in reverse',
    'keeps neighbors together',
    rows((row, count) => count - 1 - row),
  ),
  mutant(
    'shifts its rows by one',
    'keeps neighbors together',
    rows((row, count) => (row + 1) % count),
  ),
  mutant(
    'wraps the layout around',
    'places distant points further apart than near ones',
    numbers((value) => (5 * value) % 1),
  ),
  mutant(
    'leaves its last axis flat',
    'spreads points along every axis',
    numbers((value, index, { cols }) => (index % cols === cols - 1 ? 0.5 : value)),
  ),
  mutant(
    'shows its first axis twice',
    'spreads points along every axis',
    numbers((value, index, { data, cols }) => (index % cols === 1 ? 2 - 3 * data[index - 1]! : value)),
  ),
  mutant(
    'shows the sum of its other axes as its last',
    'spreads points along every axis',
    numbers((value, index, { data, cols }) =>
      cols === 3 && index % 3 === 2 ? data[index - 2]! - 2 * data[index - 1]! : value,
    ),
  ),
  mutant(
    'writes every round to one buffer',
    'yields every layout in an array of its own',
    (right) =>
      async function* (points, options) {
        let buffer: Float32Array | undefined;
        let rounds = 0;
        for await (const layout of right(points, options)) {
          buffer ??= new Float32Array(layout.data.length);
          buffer.set(layout.data.map((value) => value * ++rounds));
          yield { ...layout, data: buffer };
        }
      },
  ),
  mutant('writes every call to one buffer', 'does not reuse the arrays that it returns', (right) => {
    const buffer = new Float32Array(1000);
    return async function* (points, options) {
      for await (const layout of right(points, options)) {
        buffer.set(layout.data);
        yield { ...layout, data: buffer.subarray(0, layout.data.length) };
      }
    };
  }),
  mutant(
    'ignores an abort after the first layout',
    'rejects if it is aborted between two layouts',
    (right) =>
      async function* (points, { dimensions, signal }) {
        signal?.throwIfAborted();
        yield* right(points, { dimensions });
      },
  ),
  mutant(
    'ignores an abort while it computes',
    'rejects with the reason if it is aborted midway',
    (right) =>
      async function* (points, { dimensions, signal }) {
        signal?.throwIfAborted();
        for (let turns = 0; turns < 4; turns++) await turn();
        yield* right(points, { dimensions });
      },
  ),
  mutant(
    'starts from a different layout each time',
    'returns the same result for the same input',
    (right) => (points, options) => {
      const offset = 1e-3 * (runs++ % 11);
      return numbers((value) => value + offset)(right)(points, options);
    },
  ),
  mutant('shares its input between concurrent calls', 'keeps concurrent calls separate', (right) => {
    let current: Matrix;
    return async function* (points, options) {
      options.signal?.throwIfAborted();
      current = points;
      await turn();
      yield* right(current, options);
    };
  }),
  mutant('stays busy after an early stop', 'can be stopped early', (right) => {
    let busy = false;
    return async function* (points, options) {
      options.signal?.throwIfAborted();
      if (busy && points.rows === 90 && options.dimensions === 3) throw new Error('a projection is running');
      busy = true;
      for await (const layout of right(points, options)) yield layout;
      busy = false;
    };
  }),
  mutant(
    'continues from the layout that it yielded',
    'does not read back the layouts that it yields',
    (right) =>
      async function* (points, options) {
        let yielded: Matrix | undefined;
        for await (const layout of right(points, options)) {
          yielded ??= layout;
          yield yielded;
        }
      },
  ),
  mutant('centers the points in place', 'does not modify its input', (right) => (points, options) => {
    if (points.data.length > 0) points.data[0] = points.data[0]! + 1e-6;
    return right(points, options);
  }),
  mutant(
    'divides by the spread of the points',
    'lays out or rejects few points and equal points',
    numbers((value, _, { data }) => value / (data.some((other) => other !== 0) ? 1 : 0)),
  ),
  mutant(
    'reads NaN as 0',
    'rejects NaN, a wrong shape and other dimensions than 2 and 3',
    (right) => (points, options) => right({ ...points, data: points.data.map((value) => value || 0) }, options),
  ),
  mutant(
    'ignores its signal',
    'rejects if its signal is already aborted',
    (right) =>
      (points, { dimensions }) =>
        right(points, { dimensions }),
  ),
  mutant(
    'hides the reason of an abort',
    'rejects with the reason if it is aborted midway',
    (right) =>
      async function* (points, options) {
        options.signal?.throwIfAborted();
        await turn();
        if (options.signal?.aborted) throw new Error('the worker has exited');
        yield* right(points, options);
      },
  ),
];
