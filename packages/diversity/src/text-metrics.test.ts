import { InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distinctN, emDashPer1000Words, vocabularyRatio, words } from './text-metrics.js';

const texts = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', "e'f"), { maxLength: 8 }), {
  minLength: 1,
  maxLength: 6,
});
const joined = (lists: readonly (readonly string[])[]) => lists.map((list) => list.join(' '));

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

describe('vocabularyRatio', () => {
  test('5 distinct words of 7, over the texts together', () => {
    expect(vocabularyRatio(['The cat saw the dog.', 'A CAT!'])).toBe(5 / 7);
    expect(vocabularyRatio(['', '…'])).toBeNaN();
  });

  test('is in (0, 1], ignores order, and halves when every text is repeated', () => {
    fc.assert(
      fc.property(texts, (lists) => {
        const ratio = vocabularyRatio(joined(lists));
        fc.pre(lists.flat().length > 0);
        expect(ratio).toBeGreaterThan(0);
        expect(ratio).toBeLessThanOrEqual(1);
        expect(vocabularyRatio(joined(lists).reverse())).toBe(ratio);
        expect(vocabularyRatio([...joined(lists), ...joined(lists)])).toBe(ratio / 2);
        expect(distinctN(joined(lists), 1)).toBe(ratio);
      }),
      { seed: 2 },
    );
  });
});

describe('distinctN', () => {
  test('bigrams a b, b a, a b | b c: none spans two texts', () => {
    expect(distinctN(['a b a b', 'b c'], 2)).toBe(3 / 4);
    expect(distinctN(['a b a b', 'b c'], 4)).toBe(1);
    expect(distinctN(['a', 'b'], 2)).toBeNaN();
  });

  test('equals an independent count', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 4 }), (lists, n) => {
        const grams = lists.flatMap((list) =>
          list.flatMap((_, end) => (end + 1 < n ? [] : [list.slice(end + 1 - n, end + 1)])),
        );
        const distinct = grams.filter((gram, index) => grams.findIndex((other) => `${other}` === `${gram}`) === index);
        expect(distinctN(joined(lists), n)).toBe(distinct.length / grams.length);
      }),
      { seed: 3 },
    );
  });

  test('n must be an integer ≥ 1', () => {
    for (const n of [0, 1.5, Number.NaN]) expect(() => distinctN(['a'], n)).toThrow(InvalidArgumentError);
  });
});

describe('emDashPer1000Words', () => {
  test.each([
    ['one — two—three', 2],
    ['one--two -- three', 2],
    ['“Stop!”—he said', 1],
    ['caf\u00e9--bar a--b--c', 3],
    ['one – two - three well-known', 0],
    ['---\n<!-- note --> run --fast -- 2--3 x-- --y a --- b', 0],
  ])('%j has %i', (text, dashes) => {
    expect(emDashPer1000Words([text])).toBeCloseTo((1000 * dashes) / words(text).length, 9);
  });

  test('counts over all texts together; NaN without words', () => {
    expect(emDashPer1000Words(['a — b', 'c d e f g h'])).toBe(125);
    expect(emDashPer1000Words(['—'])).toBeNaN();
    expect(emDashPer1000Words([])).toBeNaN();
  });
});
