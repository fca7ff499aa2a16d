import { InvalidArgumentError, NotFiniteError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  classCounts,
  effectiveNumber,
  equivalenceClasses,
  expectedDistinct,
  noveltyUtility,
  passAtK,
  semanticEntropy,
} from './classes.js';

const labels = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 9 });

describe('equivalenceClasses', () => {
  test('numbers classes by their first members, and compares with those only', () => {
    const compared: string[] = [];
    const classes = equivalenceClasses(['cat', 'Dog', 'CAT', 'dog', 'cow'], (first, item) => {
      compared.push(`${first} ${item}`);
      return first.toLowerCase() === item.toLowerCase();
    });
    expect(classes).toEqual(Int32Array.of(0, 1, 0, 1, 2));
    expect(compared).toEqual(['cat Dog', 'cat CAT', 'cat dog', 'Dog dog', 'cat cow', 'Dog cow']);
  });

  test('an item that matches two classes joins the first', () => {
    const near = (a: number, b: number) => Math.abs(a - b) <= 1;
    expect(equivalenceClasses([0, 2, 1], near)).toEqual(Int32Array.of(0, 1, 0));
    expect(equivalenceClasses([1, 0, 2], near)).toEqual(Int32Array.of(0, 0, 0));
    expect(equivalenceClasses([], near).length).toBe(0);
  });
});

test('classCounts distinguishes numbers from strings', () => {
  expect(classCounts(['b', 'a', 'b'])).toEqual([2, 1]);
  expect(classCounts([1, '1', 1])).toEqual([2, 1]);
  expect(classCounts(Int32Array.of(3, 3))).toEqual([2]);
});

describe('effectiveNumber', () => {
  const counts = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 6 });

  test('is between 1 and the number of classes, falls with the order, and ignores scale and order of classes', () => {
    fc.assert(
      fc.property(counts, (values) => {
        fc.pre(values.some((count) => count > 0));
        const orders = [0, 0.5, 1, 1.5, 2, 10, 1000, Number.POSITIVE_INFINITY];
        const numbers = orders.map((order) => effectiveNumber(values, order));
        expect(numbers[0]).toBeCloseTo(values.filter((count) => count > 0).length, 10);
        expect(numbers.at(-1)).toBeGreaterThanOrEqual(1);
        numbers.slice(1).forEach((number, index) => {
          expect(number).toBeLessThanOrEqual(numbers[index]! + 1e-9);
        });
        expect(effectiveNumber(values.map((count) => count * 1e-3).reverse(), 1.5)).toBeCloseTo(numbers[3]!, 9);
      }),
      { seed: 1 },
    );
  });

  test('twice as many classes with the same shares are twice as diverse', () => {
    for (const order of [0, 0.5, 1, 2, 7, Number.POSITIVE_INFINITY]) {
      expect(effectiveNumber([3, 1, 3, 1], order)).toBeCloseTo(2 * effectiveNumber([3, 1], order), 12);
    }
  });

  test('is continuous at order 1', () => {
    expect(effectiveNumber([5, 2, 1], 1 + 1e-7)).toBeCloseTo(effectiveNumber([5, 2, 1], 1), 5);
  });

  test('wrong input', () => {
    expect(effectiveNumber([])).toBeNaN();
    expect(effectiveNumber([0, 0])).toBeNaN();
    expect(() => effectiveNumber([1, -1])).toThrow(new InvalidArgumentError('count -1 at position 1 must be ≥ 0'));
    expect(() => effectiveNumber([1, Number.NaN])).toThrow(NotFiniteError);
    for (const order of [-1, Number.NaN]) expect(() => effectiveNumber([1], order)).toThrow(InvalidArgumentError);
  });
});

describe('semanticEntropy', () => {
  test('with equal log-probabilities, however small, equals the discrete entropy', () => {
    fc.assert(
      fc.property(labels, fc.double({ min: -5000, max: 0, noNaN: true }), (classes, logProbability) => {
        const logProbabilities = classes.map(() => logProbability);
        expect(semanticEntropy(classes, logProbabilities)).toBeCloseTo(semanticEntropy(classes), 9);
        expect(semanticEntropy([...classes].reverse())).toBeCloseTo(semanticEntropy(classes), 12);
      }),
      { seed: 2 },
    );
  });

  test('a class without mass does not count', () => {
    expect(semanticEntropy(['a', 'b'], [-1, -5000])).toBe(0);
    expect(semanticEntropy([])).toBeNaN();
  });

  test('wrong input', () => {
    expect(() => semanticEntropy(['a'], [-1, -2])).toThrow(
      new ShapeError('got 2 log-probabilities and 1 labels; give one of each per answer'),
    );
    expect(() => semanticEntropy(['a'], [Number.NEGATIVE_INFINITY])).toThrow(NotFiniteError);
  });
});

describe('expectedDistinct', () => {
  test('equals the mean over all subsets', () => {
    const subsets = (n: number, k: number): number[][] =>
      k === 0
        ? [[]]
        : Array.from({ length: n }, (_, last) => subsets(last, k - 1).map((rest) => [...rest, last])).flat();
    fc.assert(
      fc.property(labels, fc.nat(), fc.infiniteStream(fc.boolean()), (classes, seed, flags) => {
        const k = 1 + (seed % classes.length);
        const good = classes.map(() => flags.next().value as boolean);
        const all = subsets(classes.length, k);
        const distinct = all.map((subset) => new Set(subset.filter((i) => good[i]).map((i) => classes[i])).size);
        expect(expectedDistinct(classes, k, good)).toBeCloseTo(distinct.reduce((a, b) => a + b, 0) / all.length, 10);
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  test('at k = n it is the number of classes, at k = 1 the share of good answers, and copies lower it', () => {
    fc.assert(
      fc.property(labels, (classes) => {
        const n = classes.length;
        expect(expectedDistinct(classes, n)).toBe(new Set(classes).size);
        expect(expectedDistinct(classes, 1)).toBeCloseTo(1, 12);
        expect(expectedDistinct([...classes, ...classes], n)).toBeLessThanOrEqual(new Set(classes).size);
        const good = classes.map((label) => label === 'a');
        expect(expectedDistinct(classes, n, good)).toBeLessThanOrEqual(expectedDistinct(classes, n));
        for (let k = 1; k <= n; k++) expect(passAtK(good, k)).toBeCloseTo(expectedDistinct(classes, k, good), 12);
      }),
      { seed: 4 },
    );
  });

  test('wrong input', () => {
    for (const k of [0, 3, 1.5]) expect(() => expectedDistinct(['a', 'b'], k)).toThrow(InvalidArgumentError);
    expect(() => expectedDistinct(['a', 'b'], 1, [true])).toThrow(ShapeError);
    expect(() => passAtK([], 1)).toThrow(InvalidArgumentError);
  });
});

describe('noveltyUtility', () => {
  test('is the mean utility of distinct answers at patience 1, and falls with repeats', () => {
    expect(noveltyUtility(['a', 'b', 'c'], [1, 2, 6], { patience: 1 })).toBe(3);
    expect(noveltyUtility(['a', 'a', 'c'], [1, 2, 6], { patience: 1 })).toBeCloseTo(7 / 3, 12);
    expect(noveltyUtility([], [])).toBeNaN();
  });

  test('wrong input', () => {
    for (const patience of [0, 1.1, Number.NaN]) {
      expect(() => noveltyUtility(['a'], [1], { patience })).toThrow(InvalidArgumentError);
    }
    expect(() => noveltyUtility(['a'], [])).toThrow(ShapeError);
    expect(() => noveltyUtility(['a'], [Number.NaN])).toThrow(NotFiniteError);
    expect(() => noveltyUtility(['a'], [1], { decay: 1 } as object)).toThrow('noveltyUtility has no option "decay"');
  });
});

test('a text, or nothing, is refused where a list is needed', () => {
  const calls: ((values: never) => unknown)[] = [
    classCounts,
    effectiveNumber,
    semanticEntropy,
    (values) => expectedDistinct(values, 1),
    (values) => passAtK(values, 1),
    (values) => noveltyUtility(values, [1]),
    (values) => noveltyUtility([1], values),
    (values) => equivalenceClasses(values, () => true),
  ];
  for (const call of calls) {
    for (const wrong of ['abc', undefined, new Set([1])])
      expect(() => call(wrong as never)).toThrow(InvalidArgumentError);
  }
  expect(() => classCounts('abc' as never)).toThrow('labels must be an array, got a string');
});
