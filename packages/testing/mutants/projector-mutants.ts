import { counterRandom, type Matrix, type ProjectOptions, type Projector } from '@rarefy/core';
import { landmarkProjector } from '../src/reference/landmark-projector.js';
import type { Subject } from '../src/subjects.js';
import { altered, identityMutants, type Mutant, turn } from './mutant.js';

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

const random = counterRandom(1);
let runs = 0;

export const projectorMutants: readonly Mutant<Subject<Projector>>[] = [
  ...identityMutants(landmarkProjector),
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
