import { expect, test, vi } from 'vitest';
import { itemOfError } from '../check-items.js';
import { InvalidArgumentError, NotFiniteError, ShapeError } from '../errors.js';
import type { Matrix } from '../spec/matrix.js';
import { embed } from './embed.js';
import { type EmbedderFromOptions, embedderFrom } from './embedder-from.js';

/** Length and number of blanks of each text. */
const counted = (texts: readonly string[]) => texts.map((text) => [text.length, text.split(' ').length - 1]);
const options: EmbedderFromOptions = { name: 'counts@1', dimensions: 2, embed: counted };

test('embeds with arrays or a matrix, in batches of at most maxBatch', async () => {
  const calls = vi.fn(counted);
  const embedder = embedderFrom({ ...options, embed: calls, maxBatch: 2 });
  const expected = { data: Float32Array.of(1, 0, 3, 1, 5, 2), rows: 3, cols: 2 };
  expect(await embed(embedder, ['a', 'b c', 'd e f'])).toEqual(expected);
  expect(calls.mock.calls.map(([texts]) => texts.length)).toEqual([2, 1]);

  const promised = embedderFrom({ ...options, embed: async () => expected });
  const { embeddings } = await promised.embedBatch(['a', 'b c', 'd e f']);
  expect(embeddings).toEqual(expected);
  expect(embeddings.data).not.toBe(expected.data);
  expect((await promised.embedBatch([])).embeddings).toEqual({ data: new Float32Array(0), rows: 0, cols: 2 });
});

test('passes on which texts were truncated', async () => {
  const embedder = embedderFrom({ ...options, embed: (texts) => ({ embeddings: counted(texts), truncated: [1] }) });
  const { embeddings, truncated } = await embedder.embedBatch(['a', 'b c']);
  expect(embeddings.data).toEqual(Float32Array.of(1, 0, 3, 1));
  expect(truncated).toEqual(Uint32Array.of(1));
});

test('name and dimensions make the fingerprint; the rest are capabilities', () => {
  const { fingerprint, capabilities } = embedderFrom(options);
  expect(fingerprint).toBe('function:name=counts@1,dimensions=2');
  expect(embedderFrom({ ...options, name: 'counts@2' }).fingerprint).not.toBe(fingerprint);
  expect(capabilities).toEqual({
    dimensions: 2,
    maxBatch: Infinity,
    maxConcurrency: 1,
    normalized: false,
    deterministic: true,
    batchTolerance: 1e-3,
  });
});

test('items of any type; the function receives the signal; an abort rejects with its reason', async () => {
  const seen = vi.fn();
  const controller = new AbortController();
  const embedder = embedderFrom<number>({
    ...options,
    async embed(items, { signal }) {
      seen(signal);
      controller.abort('enough');
      return items.map((item) => [item, item]);
    },
  });
  await expect(embedder.embedBatch([1], { signal: controller.signal })).rejects.toBe('enough');
  await expect(embedder.embedBatch([1], { signal: controller.signal })).rejects.toBe('enough');
  expect(seen.mock.calls).toEqual([[controller.signal]]);
});

test('rejects results of the wrong shape, and values that are not finite', async () => {
  const given = (returned: unknown) =>
    embedderFrom({ ...options, embed: () => returned as Matrix }).embedBatch(['a', 'b']);
  const wrong = [[], [[1, 2]], [[1], [2]], [[1, 2], [3]], [1, 2, 3, 4], undefined, null, 3];
  for (const returned of [...wrong, { data: new Float32Array(2), rows: 1, cols: 2 }]) {
    await expect(given(returned)).rejects.toThrow(ShapeError);
  }
  await expect(given([[1, 2]])).rejects.toThrow('counts@1 returned 1 x 2 for 2 items, expected 2 x 2');
  await expect(given({ data: new Float32Array(3), rows: 2, cols: 2 })).rejects.toThrow(ShapeError);
  await expect(given({ data: new Float64Array(4), rows: 2, cols: 2 })).rejects.toThrow(InvalidArgumentError);
  await expect(
    given([
      [1, 2],
      [3, Number.NaN],
    ]),
  ).rejects.toThrow(NotFiniteError);
  await expect(given({ data: Float32Array.of(1, 2, 3, Infinity), rows: 2, cols: 2 })).rejects.toThrow(NotFiniteError);
});

test('a value that is not finite is reported with its item among all items', async () => {
  for (const [value, seen] of [
    [Number.NaN, 'NaN'],
    [1e39, '1e+39'],
    ['7', '"7"'],
    [null, 'null'],
  ]) {
    const embedder = embedderFrom({
      ...options,
      embed: (items) => items.map((item) => [1, item === 'x' ? (value as number) : 2]),
    });
    const error: unknown = await embed(embedder, ['a', 'b', 'c', 'x'], { batchSize: 2 }).catch((thrown) => thrown);
    expect(error).toEqual(new NotFiniteError(`counts@1 returned ${seen} for item 3, in column 1`));
    expect(itemOfError(error)).toBe(3);
  }
  const flat = embedderFrom({
    ...options,
    embed: (items) => ({ data: new Float32Array(2 * items.length).fill(Number.NaN, 3), rows: items.length, cols: 2 }),
  });
  await expect(embed(flat, ['a', 'b'])).rejects.toThrow('counts@1 returned NaN for item 1, in column 1');
  expect([itemOfError(new Error('other')), itemOfError(undefined)]).toEqual([undefined, undefined]);
});

test('checks that normalized rows have length 1 or 0', async () => {
  const given = (rows: number[][]) =>
    embedderFrom({ ...options, normalized: true, embed: () => rows }).embedBatch(['a', 'b']);
  await given([
    [0.6, 0.8],
    [0, 0],
  ]);
  await expect(
    given([
      [0.6, 0.8],
      [1, 1],
    ]),
  ).rejects.toThrow('counts@1 is `normalized`, but row 1 of a batch has length 1.41');
});

test('disposes once', async () => {
  const dispose = vi.fn();
  const embedder = embedderFrom({ ...options, dispose });
  await embedder[Symbol.asyncDispose]();
  await embedder[Symbol.asyncDispose]();
  expect(dispose).toHaveBeenCalledTimes(1);
  await embedderFrom(options)[Symbol.asyncDispose]();
});

test('rejects options that are unknown, missing or out of range', () => {
  const wrong = [{ name: '' }, { name: undefined }, { embed: undefined }, { dimensions: 0 }, { maxBatch: 0.5 }];
  for (const change of [
    ...wrong,
    { maxConcurrency: 0 },
    { batchTolerance: -1 },
    { dimension: 2 },
    { normalized: 'yes' },
    { deterministic: 1 },
  ]) {
    expect(() => embedderFrom({ ...options, ...change } as EmbedderFromOptions)).toThrow(InvalidArgumentError);
  }
  expect(() => embedderFrom({ ...options, max_batch: 2 } as EmbedderFromOptions)).toThrow('did you mean "maxBatch"?');
});

test('the error for what is not one array per item says what it is', async () => {
  const expected = 'counts@1 must return a matrix, or an array with one array of numbers per item';
  const given = (rows: unknown) => embedderFrom({ ...options, embed: () => rows as number[][] }).embedBatch(['a', 'b']);
  await expect(given([1, 2])).rejects.toThrow(new ShapeError(`${expected}, got a number in place of row 0`));
  await expect(given([[1, 2], Promise.resolve([1, 2])])).rejects.toThrow(
    `${expected}, got a promise in place of row 1; await all rows, as in Promise.all(rows)`,
  );
  await expect(given(Float32Array.of(1, 2))).rejects.toThrow(`${expected}, got numbers in one array`);
  await expect(given(undefined)).rejects.toThrow(`${expected}, got undefined`);
  await expect(given({ data: [{ embedding: [1, 2] }] })).rejects.toThrow(`${expected}, got an object`);
  expect(() => embedderFrom(undefined as never)).toThrow('embedderFrom needs a `name`');
  expect(() => embedderFrom(counted as never)).toThrow('the options of embedderFrom must be an object, got a function');
});
