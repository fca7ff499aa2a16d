import { expect, test } from 'vitest';
import { atPositions, checkComponent, checkItemArray, checkItems, described } from './check-items.js';
import { InvalidArgumentError } from './errors.js';

test('says what a value is', () => {
  const values = [undefined, null, 1, 'a', 1n, true, Symbol.iterator, () => {}, [], {}, Promise.resolve()];
  expect(values.map(described).join(', ')).toBe(
    'undefined, null, a number, a string, a bigint, a boolean, a symbol, a function, an array, an object, a promise',
  );
});

test('the first item that is not a text is refused by position, a hole in the array too', () => {
  checkItems([]);
  checkItems(['', 'a']);
  for (const [item, what] of [
    [7, 'a number'],
    [undefined, 'undefined'],
    [{ text: 'a' }, 'an object'],
  ] as const) {
    const message = `item 2 is ${what}; expected a text`;
    expect(() => checkItems(['a', '', item, 8])).toThrow(new InvalidArgumentError(message));
  }
  const holed = ['a', 'b'];
  delete holed[1];
  expect(() => checkItems(holed)).toThrow('item 1 is undefined; expected a text');
  expect(() => checkItems('abc' as unknown as string[])).toThrow(
    new InvalidArgumentError('items must be an array, got a string'),
  );
});

test('other errors pass as they are, and positions add up', async () => {
  const failure = new Error('no item');
  await expect(
    atPositions(
      () => 9,
      () => Promise.reject(failure),
    ),
  ).rejects.toBe(failure);
  await expect(
    atPositions(
      () => 9,
      () => Promise.reject('no object'),
    ),
  ).rejects.toBe('no object');
  const inner = () =>
    atPositions(
      (position) => position + 3,
      async () => checkItems(['a', 1]),
    );
  await expect(atPositions((position) => position * 10, inner)).rejects.toThrow('item 40 is a number');
});

test('a component of another kind, a factory, a promise and nothing are refused', () => {
  const sampler = { kind: 'sampler', capabilities: {}, draw: () => {} };
  checkComponent('sampler', sampler, 'shard');
  for (const [given, message] of [
    [undefined, 'shard needs a sampler, got undefined'],
    [Promise.resolve(sampler), 'got a promise; did you forget await?'],
    [() => sampler, 'got a function; call the function that makes one, such as uniformSampler(size, { seed })'],
    [{ ...sampler, kind: 'embedder' }, 'got a component of kind "embedder"'],
    [{ ...sampler, draw: 1 }, 'got an object'],
  ] as const) {
    expect(() => checkComponent('sampler', given, 'shard')).toThrow(InvalidArgumentError);
    expect(() => checkComponent('sampler', given, 'shard')).toThrow(message);
  }
  expect(() => checkComponent('density-estimator', () => {}, 'f')).toThrow('such as knnDistance()');
});

test('a list that has no positions is refused where positions are needed', () => {
  checkItemArray(['a'], 'f');
  expect(() => checkItemArray(new Set(['a']), 'f')).toThrow(
    'f needs an array of items, got an object; give [...items]',
  );
  expect(() => checkItemArray('ab', 'f')).toThrow('f needs a list of items, got a string');
});
