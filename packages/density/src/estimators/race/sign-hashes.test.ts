import { counterRandom, type Matrix } from '@rarefy/core';
import { normalPoints } from '@rarefy/testing';
import { describe, expect, test } from 'vitest';
import { casesOf } from '../../../../../tests/support/exhaustive.js';
import { gaussianValues, signHashes } from './sign-hashes.js';
import { walshHadamard } from './walsh-hadamard.js';

test('the transform is the product with the Hadamard matrix', () => {
  for (const size of [1, 2, 4, 8, 16, 64, 128, 512]) {
    const { data } = normalPoints(1, size, size);
    const values = Float64Array.from(data);
    walshHadamard(values, size);
    for (let row = 0; row < size; row++) {
      let sum = 0;
      for (let col = 0; col < size; col++) sum += data[col]! * (parity(row & col) ? -1 : 1);
      expect(Math.abs(values[row]! - sum)).toBeLessThan(1e-12 * size);
    }
  }
});

function parity(bits: number): boolean {
  let odd = false;
  for (let left = bits; left > 0; left &= left - 1) odd = !odd;
  return odd;
}

test('normal values fall into twelve equally likely bins (chi-square, 11 degrees, false alarm below 1e-6)', () => {
  // Quantiles of the standard normal distribution at multiples of 1/12.
  const half = [0.21042839424792484, 0.4307272992954575, 0.6744897501960817, 0.967421566101701, 1.382994127100638];
  const bounds = [...half.map((bound) => -bound).reverse(), 0, ...half];
  const counts = new Float64Array(12);
  const values = gaussianValues(600_000, counterRandom(4));
  for (const value of values) counts[bounds.filter((bound) => bound < value).length]!++;
  expect(counts.reduce((sum, count) => sum + (count - 50_000) ** 2 / 50_000, 0)).toBeLessThan(48.9);
  const fourth = values.reduce((sum, value) => sum + value ** 4, 0) / values.length;
  expect(Math.abs(fourth - 3)).toBeLessThan(6 * Math.sqrt(96 / values.length));
});

/** Two unit vectors at this angle, rotated into `cols` columns by the seed, or left on the first two axes. */
function pairAt(angle: number, cols: number, turned: boolean): Matrix {
  const data = new Float32Array(2 * cols);
  const axes = normalPoints(2, cols, 5).data;
  for (let col = 0; col < cols; col++) {
    const [x, y] = turned ? [axes[col]!, axes[cols + col]!] : [col === 0 ? 1 : 0, col === 1 ? 1 : 0];
    data[col] = x;
    data[cols + col] = x * Math.cos(angle) + y * Math.sin(angle);
  }
  return { data, rows: 2, cols };
}

const angleOf = ({ data, cols }: Matrix) => {
  const [x, y] = [data.subarray(0, cols), data.subarray(cols)];
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, col) => sum + value * b[col]!, 0);
  return Math.acos(dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)));
};

describe('hashes are equal with probability (1 - θ / π)^bits (six standard errors, 40 tests: false alarm below 1e-7)', () => {
  test.each([
    ['on the axes, 2 columns', 2, false],
    ['on the axes, 40 columns', 40, false],
    ['3 columns', 3, true],
    ['16 columns', 16, true],
    ['384 columns', 384, true],
  ] as const)('%s', (_, cols, turned) => {
    const seeds = casesOf(300, 3000);
    for (const [bits, rows] of [
      [1, 7],
      [4, 100],
    ] as const) {
      for (const angle of [0.3, 1, 1.6, 2.6]) {
        const points = pairAt(angle, cols, turned);
        const chance = (1 - angleOf(points) / Math.PI) ** bits;
        const out = new Uint16Array(2 * rows);
        // Hashes of one seed depend on each other, so the spread is measured over seeds.
        let [sum, squares] = [0, 0];
        for (let seed = 0; seed < seeds; seed++) {
          signHashes(cols, rows, bits, seed).write(points, 0, 2, out);
          let equal = 0;
          for (let row = 0; row < rows; row++) if (out[row] === out[rows + row]) equal++;
          sum += equal / rows;
          squares += (equal / rows) ** 2;
        }
        const error = Math.sqrt((squares / seeds - (sum / seeds) ** 2) / seeds);
        expect(Math.abs(sum / seeds - chance)).toBeLessThan(6 * error + 1e-12);
        // The test has power, and the hashes of a seed are nearly independent if the point is spread.
        if (cols >= 16) expect(error).toBeLessThan(1.5 * Math.sqrt((chance * (1 - chance)) / (seeds * rows)));
      }
    }
  });
});

test('hashes do not depend on the block of rows, on the length of a row, or on the other rows', () => {
  const points = normalPoints(20, 33, 1);
  const hashes = signHashes(33, 50, 5, 9);
  const all = new Uint16Array(20 * 50);
  hashes.write(points, 0, 20, all);
  const some = new Uint16Array(3 * 50).fill(77);
  signHashes(33, 50, 5, 9).write({ ...points, data: points.data.map((value) => value * 2 ** 40) }, 11, 14, some);
  expect(some).toEqual(all.subarray(11 * 50, 14 * 50));
  expect(Math.max(...all)).toBe(31);
});
