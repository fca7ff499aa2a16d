import type { LoadedBatch, Loader, SamplerState } from '@rarefy/core';
import { formCheck } from '../src/component-checks.js';
import { naiveLoader } from '../src/reference/naive-loader.js';
import type { LoaderSetting, LoaderSubject } from '../src/subjects.js';
import { altered, type Mutant } from './mutant.js';

type Make = LoaderSubject['create'];
type Batch = LoadedBatch<string>;

/** Each prompt `groupSize` times, with its copies next to each other. */
export const loaderRows = ({ prompts, groupSize }: Batch): string[] =>
  prompts.flatMap((prompt) => Array<string>(groupSize).fill(prompt));

const mutant = (name: string, caughtBy: string, create: Make): Mutant<LoaderSubject> => ({
  name,
  caughtBy,
  subject: { create, rows: loaderRows, countTensors: () => 0 },
});

/** The correct loader with every batch passed through `change`. */
const batches =
  (change: (batch: Batch, index: number) => Batch): Make =>
  (prompts, setting) => {
    const loader = naiveLoader(prompts, setting);
    let index = 0;
    return altered(loader, {
      async *[Symbol.asyncIterator]() {
        for await (const batch of loader) yield change(batch, index++);
      },
    });
  };

/** The correct loader with its setting passed through `change`. */
const sampling =
  (change: (setting: LoaderSetting) => LoaderSetting): Make =>
  (prompts, setting) =>
    naiveLoader(prompts, change(setting));

/** Prefetches batches to a queue that is kept between loops, with optional faults. */
function aheadLoader(
  prompts: readonly string[],
  setting: LoaderSetting,
  faults: {
    readonly depth?: number;
    readonly stateOfBatch?: 'drawn last';
    readonly state?: 'drawn last';
    readonly keepsQueue?: true;
    readonly losesQueue?: true;
  },
): Loader<Batch> {
  const { sampler, prefetch = sampler.capabilities.adaptive ? 0 : 2 } = setting;
  const { depth = prefetch } = faults;
  const inner = naiveLoader(prompts, { ...setting, signal: undefined as never });
  let queue: Batch[] = [];
  let current: unknown = inner.state();
  return {
    async *[Symbol.asyncIterator]() {
      if (faults.losesQueue) queue = [];
      for (;;) {
        setting.signal?.throwIfAborted();
        while (queue.length <= depth) {
          const { value, done } = await inner[Symbol.asyncIterator]().next();
          if (done) break;
          queue.push(value);
        }
        const batch = queue.shift();
        if (!batch) return;
        current = batch.state;
        yield faults.stateOfBatch ? { ...batch, state: sampler.state() } : batch;
      }
    },
    state: () => (faults.state || queue.length === 0 ? inner.state() : current),
    restore(state) {
      inner.restore(state);
      current = state;
      if (!faults.keepsQueue) queue = [];
    },
  };
}

/** A prefetching loader with these faults. */
const ahead =
  (faults: Parameters<typeof aheadLoader>[2]): Make =>
  (prompts, setting) =>
    aheadLoader(prompts, setting, faults);

/** The correct prefetching loader. */
export const prefetchingLoader: Make = ahead({});

let tensors = 0;

export const loaderMutants: readonly Mutant<LoaderSubject>[] = [
  mutant('has no state', formCheck, (prompts, setting) =>
    altered(naiveLoader(prompts, setting), { state: undefined } as unknown as Partial<Loader<Batch>>),
  ),
  mutant(
    'sorts every eighth batch',
    'yields what the sampler draws, in the same order',
    batches((batch, index) => {
      if (index % 8 !== 7) return batch;
      const positions = batch.positions.toSorted();
      return { ...batch, positions, prompts: Array.from(positions, (position) => `prompt ${position}`) };
    }),
  ),
  mutant(
    'draws four at a time and drops the rest',
    'yields the same stream for any batch size',
    sampling((setting) => ({
      ...setting,
      sampler: altered(setting.sampler, {
        draw(count) {
          const draws = setting.sampler.draw(4 * Math.ceil(count / 4));
          return {
            ...draws,
            positions: draws.positions.slice(0, count),
            ...(draws.probabilities && { probabilities: draws.probabilities.slice(0, count) }),
          };
        },
      }),
    })),
  ),
  mutant(
    'draws once to fill its queue',
    'yields the same stream for any prefetch',
    sampling((setting) => {
      if (setting.prefetch === 5) setting.sampler.draw(1);
      return setting;
    }),
  ),
  mutant(
    'always has groups of three',
    'yields batches of the group size that is set',
    batches((batch) => ({ ...batch, groupSize: 3 })),
  ),
  {
    name: 'repeats the batch instead of each prompt',
    caughtBy: 'keeps the group of a prompt together',
    subject: {
      create: naiveLoader,
      rows: ({ prompts, groupSize }) => Array<readonly string[]>(groupSize).fill(prompts).flat(),
    },
  },
  mutant(
    'passes on the probabilities of the previous batch',
    'passes on the probability of each draw',
    (prompts, setting) => {
      let earlier: Float64Array | undefined;
      return batches((batch) => {
        const probabilities = earlier ?? batch.probabilities;
        earlier = batch.probabilities;
        return { ...batch, probabilities };
      })(prompts, setting);
    },
  ),
  mutant(
    'fills the last batch with repeats',
    'ends with the sampler and makes up no prompts',
    sampling((setting) => ({
      ...setting,
      sampler: altered(setting.sampler, {
        draw(count) {
          const draws = setting.sampler.draw(count);
          const { length } = draws.positions;
          if (length === count || length === 0) return draws;
          return { positions: Int32Array.from({ length: count }, (_, index) => draws.positions[index % length]!) };
        },
      }),
    })),
  ),
  mutant('prefetches from every sampler', 'does not prefetch from an adaptive sampler', (prompts, setting) =>
    ahead({ depth: setting.prefetch ?? 2 })(prompts, setting),
  ),
  mutant('replaces a missing prompt by an empty one', 'rejects a position without a prompt', (prompts, setting) =>
    naiveLoader([...prompts, ...Array<string>(20).fill('')], setting),
  ),
  mutant('continues from the array that it yielded', 'does not reuse the arrays that it yields', (prompts, setting) => {
    let last: Int32Array | undefined;
    return batches((batch) => {
      const positions = last?.some((position) => position < 0) ? last : batch.positions;
      last = positions;
      return { ...batch, positions };
    })(prompts, setting);
  }),
  mutant(
    'drops prefetched batches when a loop is left',
    'continues where a loop was left',
    ahead({ losesQueue: true }),
  ),
  mutant(
    'includes prefetched batches in the state of a batch',
    'resumes after any batch, for any prefetch',
    ahead({ stateOfBatch: 'drawn last' }),
  ),
  mutant(
    'includes prefetched batches in its own state',
    'has a state between batches too',
    ahead({ state: 'drawn last' }),
  ),
  mutant(
    'keeps prefetched batches when it restores a state',
    'restores an earlier state of its own',
    ahead({ keepsQueue: true }),
  ),
  mutant('ignores the state of another sampler', 'rejects the state of another sampler', (prompts, setting) => {
    const loader = naiveLoader(prompts, setting);
    return altered(loader, {
      restore(state) {
        if ((state as SamplerState).fingerprint === setting.sampler.fingerprint) loader.restore(state);
      },
    });
  }),
  mutant('starts every loop with the last batch', 'never yields a batch to two loops', (prompts, setting) => {
    let open: Batch | undefined;
    const loader = naiveLoader(prompts, setting);
    return altered(loader, {
      async *[Symbol.asyncIterator]() {
        if (open) yield open;
        try {
          for await (const batch of loader) {
            open = batch;
            yield batch;
          }
        } finally {
          open = undefined;
        }
      },
    });
  }),
  mutant('checks its signal only once', 'rejects if its signal is aborted', (prompts, { signal, ...setting }) => {
    const loader = naiveLoader(prompts, setting);
    return altered(loader, {
      async *[Symbol.asyncIterator]() {
        signal?.throwIfAborted();
        yield* loader;
      },
    });
  }),
  {
    name: 'leaks a tensor when a loop is left',
    caughtBy: 'frees its tensors if a loop is left',
    subject: {
      countTensors: () => tensors,
      create: (prompts, setting) => {
        const loader = naiveLoader(prompts, setting);
        return altered(loader, {
          async *[Symbol.asyncIterator]() {
            try {
              yield* loader;
            } finally {
              tensors++;
            }
          },
        });
      },
    },
  },
];
