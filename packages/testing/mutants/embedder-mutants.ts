import type { Embedder } from '@rarefy/core';
import { letterEmbedder } from '../src/reference/letter-embedder.js';
import type { EmbedderSubject } from '../src/subjects.js';
import {
  altered,
  disposingOnce,
  hidingReason,
  identityMutants,
  ignoringSignal,
  type Mutant,
  returning,
  sharingInput,
} from './mutant.js';

type Batch = Embedder['embedBatch'];

/** The correct embedder with a changed `embedBatch`. */
const broken = (change: (right: Batch) => Batch, capabilities: Partial<Embedder['capabilities']> = {}): Embedder => {
  const embedder = letterEmbedder();
  return altered(embedder, {
    embedBatch: change(embedder.embedBatch),
    capabilities: { ...embedder.capabilities, ...capabilities },
  });
};

/** Passes every number through `change`. */
const values =
  (change: (value: number, index: number, cols: number) => number) =>
  (right: Batch): Batch =>
  async (items, options) => {
    const { embeddings, ...rest } = await right(items, options);
    const data = embeddings.data.map((value, index) => change(value, index, embeddings.cols));
    return { ...rest, embeddings: { ...embeddings, data } };
  };

/** Passes the items through `change`. */
const items =
  (change: (items: readonly string[]) => readonly string[]) =>
  (right: Batch): Batch =>
  (given, options) =>
    right(change(given), options);

/** Keeps results by their texts and does not copy them. */
const memo =
  (what: 'every batch' | 'the last batch' | 'every batch that comes again' | 'every text alone') =>
  (right: Batch): Batch => {
    const kept = new Map<string, Awaited<ReturnType<Batch>>>();
    return async (given, options) => {
      options?.signal?.throwIfAborted();
      const key = given.join('|');
      const found = kept.get(key);
      if (found) return found;
      const result = await right(given, options);
      if (what === 'every text alone' && given.length !== 1) return result;
      if (what === 'the last batch') kept.clear();
      kept.set(key, result);
      if (what !== 'every batch that comes again') return result;
      return { ...result, embeddings: { ...result.embeddings, data: result.embeddings.data.slice() } };
    };
  };

let noise = 0;
let tensors = 0;

export const embedderMutants: readonly Mutant<EmbedderSubject>[] = [
  ...identityMutants(letterEmbedder),
  returning(letterEmbedder, 'embedBatch', async () => ({ embeddings: [[1, 0]] })),
  {
    name: 'declares a maxConcurrency of 0',
    caughtBy: 'declares valid limits',
    subject: { create: () => broken((right) => right, { maxConcurrency: 0 }) },
  },
  {
    name: 'returns NaN in one row',
    caughtBy: 'returns one finite row per text, of the declared dimensions',
    subject: { create: () => broken(values((value, index, cols) => (index === 3 * cols ? Number.NaN : value))) },
  },
  {
    name: 'returns a row for no texts',
    caughtBy: 'returns no rows for no texts',
    subject: { create: () => broken(items((given) => (given.length === 0 ? [''] : given))) },
  },
  {
    name: 'embeds every text the same',
    caughtBy: 'returns different rows for different texts',
    subject: { create: () => broken(items((given) => given.map(() => 'same'))) },
  },
  {
    name: 'returns the rows sorted by text length',
    caughtBy: 'keeps the order of the texts',
    subject: { create: () => broken(items((given) => given.toSorted((a, b) => a.length - b.length))) },
  },
  {
    name: 'embeds the padding too',
    caughtBy: 'embeds a text alone as in a batch',
    subject: {
      create: () =>
        broken(
          items((given) => {
            const longest = Math.max(0, ...given.map((item) => item.length));
            return given.map((item) => item.padEnd(longest));
          }),
        ),
    },
  },
  {
    name: 'adds the index in the batch to the numbers',
    caughtBy: 'returns equal rows for equal texts',
    subject: { create: () => broken(values((value, index, cols) => value + Math.floor(index / cols) * 1e-7)) },
  },
  {
    name: 'returns zeros for the last row of a full batch',
    caughtBy: 'accepts a batch of the declared size',
    subject: {
      create: () =>
        broken(
          values((value, index, cols) => (index >= 7 * cols && index < 8 * cols ? 0 : value)),
          { maxBatch: 8 },
        ),
    },
  },
  {
    name: 'does not normalize',
    caughtBy: 'returns rows of length 1',
    subject: { create: () => broken(values((value) => 2 * value)) },
  },
  {
    name: 'adds a little noise',
    caughtBy: 'returns the same result for the same input',
    subject: {
      create: () =>
        broken(
          values((value) => value + 1e-7 * (noise++ % 7)),
          { batchTolerance: 1e-5 },
        ),
    },
  },
  {
    name: 'fails on an empty text',
    caughtBy: 'embeds unusual texts',
    subject: {
      create: () =>
        broken((right) => async (given, options) => {
          if (given.length === 1 && given[0] === '') throw new TypeError('cannot read properties of undefined');
          return right(given, options);
        }),
    },
  },
  {
    name: 'moves the rows of empty texts to the end',
    caughtBy: 'embeds usual texts the same beside unusual ones',
    subject: {
      create: () =>
        broken(items((given) => [...given.filter((text) => text !== ''), ...given.filter((text) => text === '')])),
    },
  },
  {
    name: 'truncates without a report',
    caughtBy: 'reports truncated texts',
    subject: {
      create: () =>
        broken((_) => async (given, options) => {
          const { embeddings } = await letterEmbedder({ maxCharacters: 200 }).embedBatch(given, options);
          return { embeddings };
        }),
    },
  },
  {
    name: 'numbers the truncated texts instead of giving their index',
    caughtBy: 'reports truncated texts by their index in the batch',
    subject: {
      create: () =>
        broken((_) => async (given, options) => {
          const result = await letterEmbedder({ maxCharacters: 200 }).embedBatch(given, options);
          return { ...result, truncated: result.truncated!.map((__, index) => index) };
        }),
    },
  },
  {
    name: 'writes every batch to the same buffer',
    caughtBy: 'does not reuse the arrays that it returns',
    subject: {
      create() {
        const buffers = new Map<number, Float32Array>();
        return broken((right) => async (given, options) => {
          const { embeddings } = await right(given, options);
          const { data } = embeddings;
          const buffer = buffers.get(data.length) ?? data;
          buffers.set(data.length, buffer).get(data.length)!.set(data);
          return { embeddings: { ...embeddings, data: buffer } };
        });
      },
    },
  },
  ...(['every batch', 'the last batch', 'every batch that comes again', 'every text alone'] as const).map((what) => ({
    name: `hands out the arrays of its memo of ${what}`,
    caughtBy: 'does not reuse the arrays that it returns',
    subject: { create: () => broken(memo(what)) },
  })),
  {
    name: 'ignores its seed',
    caughtBy: 'returns other rows for another option',
    subject: {
      create: letterEmbedder,
      variants: [() => altered(letterEmbedder(), { fingerprint: 'letter-embedder:seed=1' })],
    },
  },
  {
    name: 'appends padding to the list that it is given',
    caughtBy: 'does not modify its input',
    subject: {
      create: () =>
        broken((right) => async (given, options) => {
          const result = await right([...given], options);
          (given as string[]).push('padding');
          return result;
        }),
    },
  },
  {
    name: 'shares its input between concurrent calls',
    caughtBy: 'keeps concurrent calls separate',
    subject: { create: () => broken(sharingInput) },
  },
  {
    name: 'ignores its signal',
    caughtBy: 'rejects if its signal is already aborted',
    subject: { create: () => broken(ignoringSignal) },
  },
  {
    name: 'hides the reason of an abort',
    caughtBy: 'rejects with the reason if it is aborted midway',
    subject: { create: () => broken(hidingReason) },
  },
  {
    name: 'frees its memory twice',
    caughtBy: 'can be disposed twice',
    subject: { create: () => altered(letterEmbedder(), disposingOnce()) },
  },
  {
    name: 'reads zeros from freed weights',
    caughtBy: 'returns no wrong result after disposal',
    subject: {
      create() {
        let freed = false;
        const embedder = broken(values((value) => (freed ? 0 : value)));
        return altered(embedder, {
          async [Symbol.asyncDispose]() {
            freed = true;
          },
        });
      },
    },
  },
  {
    name: 'leaks one tensor per batch',
    caughtBy: 'frees its tensors',
    subject: {
      countTensors: () => tensors,
      create: () =>
        broken((right) => async (given, options) => {
          const result = await right(given, options);
          tensors++;
          return result;
        }),
    },
  },
];
