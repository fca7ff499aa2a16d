import { InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compressionRatio } from './compression.js';
import { garbledShare, meanWords } from './controls.js';
import { distinctN, expectationAdjustedDistinct, mattr, ngramEntropy, vocabularyRatio } from './lexical.js';
import { selfBleu } from './self-bleu.js';

const texts = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', "e'f"), { maxLength: 8 }), {
  minLength: 1,
  maxLength: 6,
});
const joined = (lists: readonly (readonly string[])[]) => lists.map((list) => list.join(' '));

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

describe('expectationAdjustedDistinct', () => {
  test('is 1 on average for uniform draws, whatever their number', () => {
    // All sequences of C of V words: the mean number of distinct ones is exactly the expectation.
    for (const [vocabulary, length] of [
      [2, 3],
      [3, 2],
      [3, 4],
    ] as const) {
      const all = Array.from({ length: vocabulary ** length }, (_, code) =>
        Array.from({ length }, (_, digit) => Math.floor(code / vocabulary ** digit) % vocabulary),
      );
      const sum = all.reduce((total, tokens) => total + expectationAdjustedDistinct([tokens], vocabulary), 0);
      expect(sum / all.length).toBeCloseTo(1, 12);
    }
  });

  test('tends to the vocabulary ratio as the vocabulary grows', () => {
    expect(expectationAdjustedDistinct(['a b a c'], 1e15)).toBeCloseTo(0.75, 12);
  });

  test('the vocabulary has at least the distinct words', () => {
    expect(expectationAdjustedDistinct(['a b'], 2)).toBeCloseTo(2 / 1.5, 12);
    for (const size of [1, 2.5, Number.NaN]) {
      expect(() => expectationAdjustedDistinct(['a b'], size)).toThrow(InvalidArgumentError);
    }
    expect(expectationAdjustedDistinct(['…'], 5)).toBeNaN();
  });
});

describe('ngramEntropy', () => {
  test('is the logarithm of the number of equally frequent n-grams', () => {
    expect(ngramEntropy(['a b', 'c d'], 1)).toBeCloseTo(Math.log(4), 12);
    expect(ngramEntropy(['a a a'], 2)).toBe(0);
    expect(ngramEntropy(['a'], 2)).toBeNaN();
  });
});

describe('mattr', () => {
  test('windows stay inside texts unless asked', () => {
    const lists = ['a a', 'a b'];
    expect(mattr(lists, { window: 2 })).toBe((1 / 2 + 1) / 2);
    expect(mattr(lists, { window: 2, acrossTexts: true })).toBe((1 / 2 + 1 / 2 + 1) / 3);
    expect(mattr(lists, { window: 3 })).toBeNaN();
    expect(mattr(lists)).toBeNaN(); // window 50
  });

  test('equals the definition', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 9 }), fc.boolean(), (lists, window, acrossTexts) => {
        const ratios = (acrossTexts ? [lists.flat()] : lists).flatMap((list) =>
          list.slice(window - 1).map((_, start) => new Set(list.slice(start, start + window)).size / window),
        );
        const expected = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
        const actual = mattr(lists, { window, acrossTexts });
        if (ratios.length === 0) expect(actual).toBeNaN();
        else expect(actual).toBeCloseTo(expected, 12);
      }),
      { seed: 4 },
    );
  });

  test('options are checked', () => {
    expect(() => mattr(['a'], { window: 0 })).toThrow(InvalidArgumentError);
    expect(() => mattr(['a'], { size: 5 } as object)).toThrow('mattr has no option "size"');
    expect(() => mattr(['a'], { acrossTexts: 1 } as object)).toThrow(InvalidArgumentError);
  });
});

describe('selfBleu', () => {
  test('is 1 for equal texts of n words or more, 0 without common words, NaN for one text', () => {
    expect(selfBleu(['a b c d', 'a b c d'])).toBe(1);
    expect(selfBleu(['a b c d', 'e f g h'])).toBe(0);
    expect(selfBleu(['a b c d'])).toBeNaN();
    expect(selfBleu(['', ''])).toBe(0);
  });

  test('is in [0, 1], ignores order and the names of words, and grows if every text is repeated', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 5 }), (lists, n) => {
        fc.pre(lists.length > 1);
        const value = selfBleu(lists, { n });
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
        expect(selfBleu([...lists].reverse(), { n })).toBeCloseTo(value, 12);
        const codes = lists.map((list) => list.map((token) => token.charCodeAt(0)));
        expect(selfBleu(codes, { n })).toBeCloseTo(value, 12);
        expect(selfBleu([...lists, ...lists], { n })).toBeGreaterThanOrEqual(value - 1e-12);
      }),
      { seed: 5 },
    );
  });

  test('options are checked', () => {
    expect(() => selfBleu(['a'], { n: 0 })).toThrow(InvalidArgumentError);
    expect(() => selfBleu(['a'], { order: 3 } as object)).toThrow('selfBleu has no option "order"');
  });
});

test('what a copy of every text changes: less distinct, same entropy, better compression', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 3 }), (lists, n) => {
      fc.pre(lists.some((list) => list.length >= n));
      const twice = [...lists, ...lists];
      expect(distinctN(twice, n)).toBe(distinctN(lists, n) / 2);
      expect(ngramEntropy(twice, n)).toBeCloseTo(ngramEntropy(lists, n), 12);
      expect(ngramEntropy([...lists].reverse(), n)).toBeCloseTo(ngramEntropy(lists, n), 12);
      expect(expectationAdjustedDistinct(twice, 100)).toBeLessThan(expectationAdjustedDistinct(lists, 100));
      const long = joined(lists).join(' ').repeat(20);
      expect(compressionRatio([long, long])).toBeGreaterThan(compressionRatio([long]));
    }),
    { seed: 6 },
  );
});

describe('compressionRatio', () => {
  test('is low for noise, high for repetition, NaN for nothing', () => {
    expect(compressionRatio(['ab'.repeat(5000)])).toBeGreaterThan(100);
    expect(compressionRatio(['a'])).toBeLessThan(0.1);
    expect(compressionRatio([])).toBeNaN();
    expect(compressionRatio([''])).toBeNaN();
    expect(() => compressionRatio([['a']] as unknown as string[])).toThrow(InvalidArgumentError);
  });
});

describe('controls', () => {
  test('a text with one unknown word is garbled, an empty one is not', () => {
    expect(garbledShare(['The cat.', 'the qat', ''], new Set(['the', 'cat']))).toBe(1 / 3);
    expect(garbledShare([[1, 2], Int32Array.of(3)], new Set([1, 2]))).toBe(1 / 2);
    expect(garbledShare([], new Set())).toBeNaN();
    expect(() => garbledShare(['a'], ['a'] as unknown as Set<string>)).toThrow(InvalidArgumentError);
  });

  test('mean words', () => {
    expect(meanWords(['The cat.', '', [5]])).toBe(1);
    expect(meanWords([])).toBeNaN();
  });
});
