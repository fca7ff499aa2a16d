import { counterRandom } from '@rarefy/core';
import { expect, test } from 'vitest';
import { symmetricEigen } from './symmetric-eigen.js';

test('eigenvalues of the second-difference matrix are 2 - 2 cos(kπ / (n + 1))', () => {
  const n = 20;
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    matrix[i * n + i] = 2;
    if (i + 1 < n) matrix[i * n + i + 1] = -1;
  }
  const { values } = symmetricEigen(matrix, n);
  for (let k = 1; k <= n; k++) expect(values[n - k]).toBeCloseTo(2 - 2 * Math.cos((k * Math.PI) / (n + 1)), 12);
});

test('A v = λ v with orthonormal vectors, for random, singular and diagonal matrices', () => {
  const random = counterRandom(5);
  const n = 12;
  const noise = Float64Array.from({ length: n * n }, (_, i) => random.uniform(i) - 0.5);
  const gram = Float64Array.from({ length: n * n }, (_, index) => (Math.floor(index / n) % 3) * ((index % n) % 3)); // rank 1
  const diagonal = Float64Array.from({ length: n * n }, (_, index) => (index % (n + 1) === 0 ? index % 5 : 0));
  for (const matrix of [noise, gram, diagonal, new Float64Array(n * n)]) {
    const { values, vectors } = symmetricEigen(matrix, n);
    const entry = (i: number, j: number) => matrix[Math.min(i, j) * n + Math.max(i, j)]!;
    for (let k = 0; k < n; k++) {
      if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]!);
      for (let i = 0; i < n; i++) {
        let product = 0;
        let inner = 0;
        for (let j = 0; j < n; j++) {
          product += entry(i, j) * vectors[k * n + j]!;
          inner += vectors[k * n + j]! * vectors[i * n + j]!;
        }
        expect(product).toBeCloseTo(values[k]! * vectors[k * n + i]!, 11);
        expect(inner).toBeCloseTo(i === k ? 1 : 0, 12);
      }
    }
  }
});
