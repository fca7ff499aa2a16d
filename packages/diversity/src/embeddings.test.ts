import { counterRandom, InvalidArgumentError, matrix, NotFiniteError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { embeddingVendiScore, meanNearestDistance, meanPairwiseDistance, vendiScore } from './embeddings.js';

const rows = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 2, max: 9 }), fc.integer())
  .map(([cols, count, seed]) => {
    const random = counterRandom(seed);
    return Array.from({ length: count }, (_, row) =>
      Array.from({ length: cols }, (_, column) => random.uniform(row * cols + column) - 0.4),
    );
  });
const orders = fc.constantFrom(0.5, 1, 1.5, 2, 8, Number.POSITIVE_INFINITY);
const identity = (n: number) => Array.from({ length: n * n }, (_, index) => (index % (n + 1) === 0 ? 1 : 0));

describe('vendi score', () => {
  test.each([0.1, 1, 2, 3, Number.POSITIVE_INFINITY])(
    'of order %d is n for unlike items and 1 for equal ones',
    (order) => {
      expect(vendiScore(identity(5), { order })).toBeCloseTo(5, 10);
      expect(vendiScore(new Array(16).fill(1), { order })).toBeCloseTo(1, 10);
      expect(
        embeddingVendiScore(
          matrix([
            [1, 0],
            [0, 2],
            [3, 0],
            [0, 4],
          ]),
          { order },
        ),
      ).toBeCloseTo(2, 10);
    },
  );

  test('is between 1 and min(rows, columns), and ignores order, lengths and copies of all rows', () => {
    fc.assert(
      fc.property(rows, orders, (points, order) => {
        const value = embeddingVendiScore(matrix(points), { order });
        expect(value).toBeGreaterThanOrEqual(1 - 1e-9);
        expect(value).toBeLessThanOrEqual(Math.min(points.length, points[0]!.length) + 1e-9);
        const changed = [...points].reverse().map((row, index) => row.map((x) => x * (index + 1)));
        expect(embeddingVendiScore(matrix(changed), { order })).toBeCloseTo(value, 5); // float32 rounds the product
        expect(embeddingVendiScore(matrix([...points, ...points]), { order })).toBeCloseTo(value, 6);
      }),
      { seed: 1 },
    );
  });

  test('a probability of 2/3 equals two copies of three; 0 leaves a row out', () => {
    fc.assert(
      fc.property(rows, orders, (points, order) => {
        const copies = [...points, points[0]!];
        const probabilities = points.map((_, index) => (index === 0 ? 2 : 1));
        const value = embeddingVendiScore(matrix(copies), { order });
        expect(embeddingVendiScore(matrix(points), { order, probabilities })).toBeCloseTo(value, 6);
        const without = embeddingVendiScore(matrix([[...points[0]!].reverse(), ...copies]), {
          order,
          probabilities: [0, ...copies.map(() => 5)],
        });
        expect(without).toBeCloseTo(value, 6);
      }),
      { seed: 2 },
    );
  });

  test('of two nearly equal items follows from the eigenvalues (1 ± similarity) / 2', () => {
    for (const similarity of [0.5, 0.999, 1 - 1e-9]) {
      const [large, small] = [(1 + similarity) / 2, (1 - similarity) / 2];
      const expected = (Math.sqrt(large) + Math.sqrt(small)) ** 2;
      expect(vendiScore([1, similarity, similarity, 1], { order: 0.5 })).toBeCloseTo(expected, 9);
      const shannon = -large * Math.log(large) - small * Math.log(small);
      expect(vendiScore([1, similarity, similarity, 1])).toBeCloseTo(Math.exp(shannon), 12);
    }
  });

  test('one more copy of a row lowers the score of unlike rows', () => {
    const unlike = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    for (const order of [0.5, 1, 2, Number.POSITIVE_INFINITY]) {
      expect(embeddingVendiScore(matrix([...unlike, unlike[1]!]), { order })).toBeLessThan(3 - 1e-3);
    }
  });

  test('wrong input', () => {
    expect(vendiScore([])).toBeNaN();
    expect(embeddingVendiScore(matrix([], 3))).toBeNaN();
    expect(() => vendiScore([1, 2, 3])).toThrow(ShapeError);
    expect(() => vendiScore([1, 0.5, 0.4, 1])).toThrow('similarity has 0.4 in row 1, column 0; it must be symmetric');
    expect(() => vendiScore([1, 0, 0, 2])).toThrow('the similarity of an item with itself must be 1');
    expect(() => vendiScore([1, 2, 2, 1])).toThrow('it must be positive semidefinite');
    expect(() => vendiScore([1, Number.NaN, 0, 1])).toThrow(NotFiniteError);
    for (const order of [0, -1, Number.NaN]) {
      expect(() => vendiScore([1], { order })).toThrow(InvalidArgumentError);
      expect(() => embeddingVendiScore(matrix([[1]]), { order })).toThrow(InvalidArgumentError);
    }
    expect(() => vendiScore([1], { q: 1 } as object)).toThrow('vendiScore has no option "q"');
    expect(() => embeddingVendiScore(matrix([[1]]), { q: 1 } as object)).toThrow(InvalidArgumentError);
    expect(() => vendiScore([1], { probabilities: [1, 1] })).toThrow(ShapeError);
    expect(() => vendiScore([1], { probabilities: [-1] })).toThrow('probability -1 of item 0 is < 0');
    expect(() => vendiScore([1], { probabilities: [0] })).toThrow('all probabilities are 0');
    expect(() => vendiScore([1], { probabilities: [Number.NaN] })).toThrow(NotFiniteError);
    expect(() =>
      embeddingVendiScore(
        matrix([
          [1, 2],
          [0, 0],
        ]),
      ),
    ).toThrow('points have only zeros in row 1');
  });
});

describe('mean cosine distances', () => {
  test('equal the definition, and ignore order and lengths', () => {
    fc.assert(
      fc.property(rows, (points) => {
        const distance = (a: readonly number[], b: readonly number[]) => {
          const dot = (x: readonly number[], y: readonly number[]) =>
            x.reduce((sum, value, i) => sum + value * y[i]!, 0);
          return 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
        };
        const single = points.map((row) => Array.from(Float32Array.from(row)));
        const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
        const others = single.map((a, i) => single.filter((_, j) => j !== i).map((b) => distance(a, b)));
        expect(meanPairwiseDistance(matrix(points))).toBeCloseTo(mean(others.map(mean)), 10);
        const nearest = mean(others.map((values) => Math.min(...values)));
        expect(meanNearestDistance(matrix(points))).toBeCloseTo(nearest, 10);
        const changed = matrix([...single].reverse().map((row) => row.map((x) => 4 * x)));
        expect(meanPairwiseDistance(changed)).toBeCloseTo(meanPairwiseDistance(matrix(points)), 12);
        expect(meanNearestDistance(changed)).toBeCloseTo(nearest, 10);
      }),
      { seed: 3 },
    );
  });

  test('opposite rows have distance 2, equal ones 0, and two tight clusters differ in the two means', () => {
    expect(
      meanPairwiseDistance(
        matrix([
          [1, 0],
          [-2, 0],
        ]),
      ),
    ).toBe(2);
    expect(
      meanNearestDistance(
        matrix([
          [1, 0],
          [-2, 0],
        ]),
      ),
    ).toBe(2);
    expect(
      meanPairwiseDistance(
        matrix([
          [3, 1],
          [3, 1],
          [3, 1],
        ]),
      ),
    ).toBeCloseTo(0, 12);
    const clusters = matrix([
      [1, 0],
      [1, 0],
      [-1, 0],
      [-1, 0],
    ]);
    expect(meanPairwiseDistance(clusters)).toBeCloseTo(4 / 3, 12);
    expect(meanNearestDistance(clusters)).toBe(0);
  });

  test('wrong input', () => {
    for (const metric of [meanPairwiseDistance, meanNearestDistance]) {
      expect(metric(matrix([[1]]))).toBeNaN();
      expect(() => metric(matrix([[0], [1]]))).toThrow(InvalidArgumentError);
      expect(() => metric({ data: new Float32Array(3), rows: 2, cols: 2 })).toThrow(ShapeError);
      expect(() => metric({ data: Float32Array.of(Number.NaN), rows: 1, cols: 1 })).toThrow(NotFiniteError);
    }
  });
});
