import { describe, expect, test } from 'vitest';
import { checkItems, described } from '../check-items.js';
import { InvalidArgumentError, NotFiniteError, ShapeError } from '../errors.js';
import type { WorkEvent } from '../spec/component.js';
import type { Embedder, EmbedResult } from '../spec/embedder.js';
import { collect, type EmbeddedPart, embed, embedStream } from './embed.js';

/** Embeds a number n as [n, n²] and records the items of each call. Numbers above 100 count as truncated. */
function squares(maxBatch = Infinity, change: (result: EmbedResult) => EmbedResult = (result) => result) {
  const calls: (readonly number[])[] = [];
  const embedder: Embedder<number> = {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: 'squares',
    capabilities: {
      dimensions: 2,
      maxBatch,
      maxConcurrency: 1,
      normalized: false,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(items) {
      calls.push(items);
      const data = Float32Array.from(items.flatMap((item) => [item, item * item]));
      const truncated = Uint32Array.from(items.flatMap((item, row) => (item > 100 ? [row] : [])));
      return change({ embeddings: { data, rows: items.length, cols: 2 }, truncated });
    },
    async [Symbol.asyncDispose]() {},
  };
  return { embedder, calls };
}

test('rejects unknown options and passes only the call options on to embedBatch', async () => {
  const seen: unknown[] = [];
  const { embedder } = squares();
  const recorder = {
    ...embedder,
    embedBatch(items: readonly number[], options?: object) {
      seen.push(options);
      return embedder.embedBatch(items);
    },
  };
  const { signal } = new AbortController();
  await embed(recorder, [1], { batchSize: 2, task: 'embed twice', signal });
  expect(seen).toEqual([{ signal, onEvent: undefined }]);
  await expect(embed(embedder, [], { batchsize: 2 } as object)).rejects.toThrow(
    'embed has no option "batchsize"; did you mean "batchSize"?',
  );
  await expect(collect(embedStream(embedder, [1], { size: 2 } as object))).rejects.toThrow(
    'embedStream has no option "size"; it has the options',
  );
});

const upTo = (count: number) => Array.from({ length: count }, (_, item) => item);

async function parts(stream: AsyncIterable<EmbeddedPart>): Promise<EmbeddedPart[]> {
  const all: EmbeddedPart[] = [];
  for await (const part of stream) all.push(part);
  return all;
}

describe('embed', () => {
  test('gives one row per item, in order, in batches within the limits of caller and embedder', async () => {
    for (const [batchSize, maxBatch, sizes] of [
      [4, Infinity, [4, 4, 2]],
      [32, 3, [3, 3, 3, 1]],
      [10, 10, [10]],
    ] as const) {
      const { embedder, calls } = squares(maxBatch);
      const result = await embed(embedder, upTo(10), { batchSize });
      expect(result).toEqual({ data: Float32Array.from(upTo(10).flatMap((n) => [n, n * n])), rows: 10, cols: 2 });
      expect(calls.map((items) => items.length)).toEqual(sizes);
    }
  });

  test('no items give 0 x dimensions, without a call', async () => {
    const { embedder, calls } = squares();
    expect(await embed(embedder, [])).toEqual({ data: new Float32Array(0), rows: 0, cols: 2 });
    expect(calls).toEqual([]);
  });

  test('reports progress in items', async () => {
    const events: WorkEvent[] = [];
    await embed(squares().embedder, upTo(5), { batchSize: 2, task: 'prompts', onEvent: (event) => events.push(event) });
    expect(events).toEqual([
      { type: 'work-start', task: 'prompts', total: 5 },
      { type: 'work-progress', task: 'prompts', done: 2, total: 5 },
      { type: 'work-progress', task: 'prompts', done: 4, total: 5 },
      { type: 'work-progress', task: 'prompts', done: 5, total: 5 },
      { type: 'work-end', task: 'prompts', done: 5, elapsedMs: expect.any(Number) },
    ]);
  });
});

describe('embedStream', () => {
  test('reports where each part starts and which items were truncated, as indices in the stream', async () => {
    const all = await parts(embedStream(squares().embedder, [1, 200, 3, 4, 500, 600], { batchSize: 4 }));
    expect(all.map(({ start, truncated }) => ({ start, truncated }))).toEqual([
      { start: 0, truncated: [1] },
      { start: 4, truncated: [4, 5] },
    ]);
  });

  test('reads no items ahead from an async source, and closes it when the loop is left', async () => {
    let read = 0;
    let closed = false;
    async function* source() {
      try {
        for (;;) yield read++;
      } finally {
        closed = true;
      }
    }
    const { embedder, calls } = squares();
    for await (const part of embedStream(embedder, source(), { batchSize: 3 })) {
      if (part.start === 3) break;
    }
    expect([read, calls.length, closed]).toEqual([6, 2, true]);
  });

  test('an abort rejects between batches with the reason of the signal and closes the source', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const { embedder, calls } = squares();
    const stream = embedStream(embedder, upTo(9), { batchSize: 3, signal: controller.signal });
    await stream.next();
    controller.abort(reason);
    await expect(stream.next()).rejects.toBe(reason);
    expect(calls.length).toBe(1);
    expect((await stream.next()).done).toBe(true);
  });

  test('passes on errors of the embedder and the source unchanged', async () => {
    const failure = new Error('lost');
    const failing = squares(Infinity, () => {
      throw failure;
    });
    await expect(embed(failing.embedder, [1])).rejects.toBe(failure);
    const source = async function* () {
      yield 1;
      throw failure;
    };
    await expect(collect(embedStream(squares().embedder, source()))).rejects.toBe(failure);
  });

  test('an invalid matrix from the embedder is an error that names the item', async () => {
    const broken = (change: (result: EmbedResult) => EmbedResult) => embed(squares(2, change).embedder, upTo(4));
    const withData = (data: Float32Array, rows: number, cols: number) => () => ({ embeddings: { data, rows, cols } });
    await expect(broken(withData(new Float32Array(2), 1, 2))).rejects.toThrow('1 x 2 (2 numbers) for 2 items');
    await expect(broken(withData(new Float32Array(6), 2, 3))).rejects.toBeInstanceOf(ShapeError);
    await expect(broken(withData(new Float32Array(3), 2, 2))).rejects.toBeInstanceOf(ShapeError);
    const spoil = ({ embeddings }: EmbedResult) => {
      if (embeddings.data[0] === 2) embeddings.data[3] = Number.NaN;
      return { embeddings };
    };
    await expect(broken(spoil)).rejects.toThrow('the embedder returned NaN for item 3');
    await expect(broken(spoil)).rejects.toBeInstanceOf(NotFiniteError);
  });

  test('rejects an invalid batch size', async () => {
    for (const batchSize of [0, -1, 1.5, Number.NaN]) {
      await expect(embed(squares().embedder, [1], { batchSize })).rejects.toBeInstanceOf(InvalidArgumentError);
    }
  });
});

describe('collect', () => {
  const part = (rows: number, cols: number, value: number) => ({
    embeddings: { data: new Float32Array(rows * cols).fill(value), rows, cols },
  });
  async function* stream(...items: ReturnType<typeof part>[]) {
    yield* items;
  }

  test('joins parts in order', async () => {
    const all = await collect(stream(part(1, 2, 7), part(0, 2, 0), part(2, 2, 8)));
    expect(all).toEqual({ data: Float32Array.of(7, 7, 8, 8, 8, 8), rows: 3, cols: 2 });
    expect(await collect(stream())).toEqual({ data: new Float32Array(0), rows: 0, cols: 0 });
  });

  test('rejects parts with different numbers of columns', async () => {
    await expect(collect(stream(part(1, 2, 7), part(1, 3, 7)))).rejects.toThrow(
      'a part has 3 columns, but earlier parts have 2',
    );
    await expect(collect(stream(part(1, 3, 7), part(1, 2, 7)))).rejects.toBeInstanceOf(ShapeError);
  });
});

const wrongEmbedders = [
  [undefined, 'got undefined'],
  [null, 'got null'],
  [Promise.resolve(squares().embedder), 'got a promise; did you forget await?'],
  [() => squares().embedder, 'got a function; call the function that makes one, such as hashEmbedder()'],
  [{ ...squares().embedder, kind: 'projector' }, 'got a component of kind "projector"'],
  [{ ...squares().embedder, embedBatch: undefined }, 'got an object'],
] as const;

test.each(wrongEmbedders)('refuses an embedder that is none, even without items (%#)', async (given, message) => {
  const embedder = given as unknown as Embedder<number>;
  for (const items of [[], [1]]) {
    for (const [where, failed] of [
      ['embed', embed(embedder, items)],
      ['embedStream', collect(embedStream(embedder, items))],
    ] as const) {
      await expect(failed).rejects.toThrow(new InvalidArgumentError(`${where} needs an embedder, ${message}`));
    }
  }
});

test('refuses a string, which is one item, and what is no list', async () => {
  const { embedder, calls } = squares();
  for (const [given, message] of [
    ['abc', 'got a string; give an array, such as [text]'],
    ['', 'got a string; give an array, such as [text]'],
    [undefined, 'got undefined'],
    [3, 'got a number'],
    [Promise.resolve([1]), 'got a promise; did you forget await?'],
  ] as const) {
    const items = given as unknown as number[];
    for (const [where, failed] of [
      ['embed', embed(embedder, items)],
      ['embedStream', collect(embedStream(embedder, items))],
    ] as const) {
      await expect(failed).rejects.toThrow(new InvalidArgumentError(`${where} needs a list of items, ${message}`));
    }
  }
  expect(calls).toEqual([]);
});

test('an item that the embedder refuses is named by its position among all items', async () => {
  const { embedder } = squares();
  const strict: Embedder<number> = {
    ...embedder,
    async embedBatch(items) {
      checkItems(items, (item) => (typeof item === 'number' ? undefined : `is ${described(item)}`), 'a number');
      return embedder.embedBatch(items);
    },
  };
  const items = [1, 2, 3, 4, 5, 'six' as unknown as number];
  for (const batchSize of [1, 4, 32]) {
    await expect(embed(strict, items, { batchSize })).rejects.toThrow(
      new InvalidArgumentError('item 5 is a string; expected a number'),
    );
  }
});
