import { InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ngramIds, tokenLists, words } from './words.js';

describe('words', () => {
  test.each([
    ["Don't stop — l’eau, naïve!", ["don't", 'stop', "l'eau", 'naïve']],
    ["'quoted' 'tis rock'n'roll dogs'", ['quoted', 'tis', "rock'n'roll", 'dogs']],
    ['3.5 kg, well-known x2', ['3', '5', 'kg', 'well', 'known', 'x2']],
    ['ПРИВЕТ हिन्दी 你好。世界', ['привет', 'हिन्दी', '你好', '世界']],
    ['cafe\u0301 caf\u00e9', ['café', 'café']],
    [' \n—…🙂 ', []],
  ])('of %j', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });
});

test('texts may be strings, words of another tokenizer, or token ids', () => {
  expect(tokenLists(['A b', ['A', 'b'], [7, 8], Int32Array.of(9)])).toEqual([['a', 'b'], ['A', 'b'], [7, 8], [9]]);
});

test.each([
  ['one text', 'texts must be an array, got a string'],
  [undefined, 'texts must be an array, got undefined'],
  [['a', 5], 'text 1 is a number; expected a string or an array of tokens'],
  [[null], 'text 0 is null; expected a string or an array of tokens'],
])('%j is not a list of texts', (texts, message) => {
  expect(() => tokenLists(texts as string[])).toThrow(new InvalidArgumentError(message));
});

test('n-gram ids are equal exactly if the n-grams are', () => {
  const tokens = fc.array(fc.array(fc.constantFrom<string | number>('a', 'b', 'a b', ' ', 1, '1'), { maxLength: 7 }));
  fc.assert(
    fc.property(tokens, fc.integer({ min: 1, max: 4 }), (lists, n) => {
      const grams = lists.flatMap((list) =>
        list.slice(n - 1).map((_, start) => JSON.stringify(list.slice(start, start + n))),
      );
      const ids = ngramIds(lists, n).flatMap((list) => Array.from(list));
      expect(ids.length).toBe(grams.length);
      const first = (values: readonly unknown[]) => values.map((value) => values.indexOf(value));
      expect(first(ids)).toEqual(first(grams));
    }),
    { seed: 1 },
  );
});
