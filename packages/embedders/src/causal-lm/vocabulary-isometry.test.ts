import { counterRandom, type WorkEvent } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { pivotedCholesky } from './pivoted-cholesky.js';
import { gramMatrix, vocabularyIsometry } from './vocabulary-isometry.js';

/** Approximately normal numbers (sums of 4 uniforms) from a seed. */
function normals(count: number, seed: number, scale = 1): Float32Array {
  const random = counterRandom(seed);
  return Float32Array.from({ length: count }, (_, i) => {
    let sum = -2;
    for (let k = 0; k < 4; k++) sum += random.uniform(4 * i + k);
    return scale * sum * Math.sqrt(3);
  });
}

/** Reference: logits W h + b in float64. */
function logitsOf(weight: Float32Array, bias: Float32Array | undefined, state: Float32Array): Float64Array {
  const hidden = state.length;
  return Float64Array.from({ length: weight.length / hidden }, (_, token) => {
    let sum = bias?.[token] ?? 0;
    for (let i = 0; i < hidden; i++) sum += weight[token * hidden + i]! * state[i]!;
    return sum;
  });
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const distance = (a: Float64Array, b: Float64Array) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0));
const unit = (a: Float64Array) => a.map((value) => value / (Math.sqrt(dot(a, a)) || 1));

/** Largest error of inner products, distances, and distances of unit rows, relative to the rows' lengths or the distance. */
async function largestError(
  weight: Float32Array,
  hidden: number,
  bias: Float32Array | undefined,
  states: Float32Array[],
) {
  const isometry = await vocabularyIsometry({ weight, bias, vocabulary: weight.length / hidden, hidden });
  const all = new Float32Array(states.length * hidden);
  states.forEach((state, row) => {
    all.set(state, row * hidden);
  });
  const mapped = isometry.apply(all, states.length);
  const n = isometry.dimensions;
  const short = states.map((_, row) => mapped.slice(row * n, (row + 1) * n));
  const logits = states.map((state) => logitsOf(weight, bias, state));
  let worst = 0;
  for (let a = 0; a < states.length; a++) {
    for (let b = 0; b < a; b++) {
      const scale = Math.sqrt(dot(logits[a]!, logits[a]!) * dot(logits[b]!, logits[b]!)) || 1;
      worst = Math.max(worst, Math.abs(dot(short[a]!, short[b]!) - dot(logits[a]!, logits[b]!)) / scale);
      for (const form of [(row: Float64Array) => row, unit]) {
        const [one, other] = [form(logits[a]!), form(logits[b]!)];
        const exact = distance(one, other);
        const error = Math.abs(distance(form(short[a]!), form(short[b]!)) - exact);
        // Squares lose half of the digits: for rows that nearly coincide, the error is relative to a twentieth of their length.
        worst = Math.max(worst, error / Math.max(exact, Math.sqrt(dot(one, one)) / 20 || 1));
      }
    }
  }
  return { worst, isometry };
}

const states = (count: number, hidden: number, seed: number) =>
  Array.from({ length: count }, (_, row) => normals(hidden, seed + row));

test.each([64, 128, 256, 512, 768, 1024].slice(0, casesOf(3, 6)))(
  'keeps distances and inner products of logits to 1e-5 for hidden size %i, with and without a bias',
  async (hidden) => {
    const vocabulary = hidden + 77;
    const weight = normals(vocabulary * hidden, hidden, 0.05);
    for (const bias of [undefined, normals(vocabulary, 9, 0.5)]) {
      const { worst, isometry } = await largestError(weight, hidden, bias, states(4, hidden, 10));
      expect(worst).toBeLessThan(1e-5);
      expect(isometry.rank).toBe(bias ? hidden + 1 : hidden);
    }
  },
);

test('keeps distances for all kinds of heads without full rank', async () => {
  const cases = fc.record({
    hidden: fc.integer({ min: 1, max: 20 }),
    vocabulary: fc.integer({ min: 1, max: 40 }),
    rank: fc.integer({ min: 1, max: 20 }),
    tied: fc.boolean(),
    paddedRows: fc.integer({ min: 0, max: 3 }),
    emptyColumns: fc.integer({ min: 0, max: 3 }),
    scale: fc.constantFrom(2 ** -20, 1, 2 ** 13),
    withBias: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(
      cases,
      async ({ hidden, vocabulary, rank, tied, paddedRows, emptyColumns, scale, withBias, seed }) => {
        const inner = Math.min(rank, hidden, vocabulary);
        // Integers, so that the float32 product has exactly that rank.
        const whole = (count: number, seed: number) => normals(count, seed, 4).map(Math.round);
        const [left, right] = [whole(vocabulary * inner, seed), whole(inner * hidden, seed + 1)];
        const weight = new Float32Array((vocabulary + paddedRows) * hidden);
        for (let token = 0; token < vocabulary; token++) {
          for (let i = 0; i < hidden; i++) {
            let sum = 0;
            for (let r = 0; r < inner; r++) sum += left[token * inner + r]! * right[r * hidden + i]!;
            weight[token * hidden + i] = i < emptyColumns && hidden > emptyColumns ? 0 : scale * sum;
          }
          if (tied && token > 0 && token % 2 === 1)
            weight.copyWithin(token * hidden, (token - 1) * hidden, token * hidden);
        }
        const bias = withBias ? normals(vocabulary + paddedRows, seed + 2, scale) : undefined;
        const { worst, isometry } = await largestError(weight, hidden, bias, states(3, hidden, seed + 3));
        expect(worst).toBeLessThan(1e-5);
        expect(isometry.rank).toBeLessThanOrEqual(Math.min(isometry.dimensions, vocabulary + paddedRows));
      },
    ),
    { seed: 5, numRuns: casesOf(200, 2000) },
  );
});

test('a pivot near zero with large entries below it loses no accuracy', async () => {
  // Without pivoting the first pivot is 1e-9 of the others, and the entries below it are far larger than its square root.
  const [vocabulary, hidden] = [50, 5];
  const weight = normals(vocabulary * hidden, 3);
  for (let token = 0; token < vocabulary; token++) weight[token * hidden] = 1e-9 * weight[token * hidden + 1]!;
  const { worst, isometry } = await largestError(weight, hidden, undefined, states(4, hidden, 1));
  expect(worst).toBeLessThan(1e-6);
  expect(isometry.rank).toBe(4);
});

test('the factor of a matrix without full rank multiplies back to the matrix', async () => {
  const n = 30;
  const thin = Float64Array.from(normals(7 * n, 4));
  const at = (i: number, j: number) => {
    let sum = 0;
    for (let r = 0; r < 7; r++) sum += thin[r * n + i]! * thin[r * n + j]!;
    return sum;
  };
  const matrix = Float64Array.from({ length: n * n }, (_, index) => at(Math.floor(index / n), index % n));
  const { rank, rows } = await pivotedCholesky(matrix, n, 7);
  expect(rank).toBe(7);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += rows[r * n + i]! * rows[r * n + j]!;
      expect(Math.abs(sum - matrix[i * n + j]!)).toBeLessThan(1e-12);
    }
  }
});

test('a row does not depend on the other rows', async () => {
  const [vocabulary, hidden] = [60, 10];
  const { apply, dimensions } = await vocabularyIsometry({
    weight: normals(vocabulary * hidden, 1),
    bias: normals(vocabulary, 2),
    vocabulary,
    hidden,
  });
  const all = normals(7 * hidden, 5);
  const together = apply(all, 7);
  for (let row = 0; row < 7; row++) {
    const alone = apply(all.subarray(row * hidden, (row + 1) * hidden), 1);
    expect([...alone]).toEqual([...together.subarray(row * dimensions, (row + 1) * dimensions)]);
  }
});

test('reports progress in tokens, lets other work run, and stops with the reason of its signal', async () => {
  const head = { weight: normals(600 * 96, 1), vocabulary: 600, hidden: 96 };
  const events: WorkEvent[] = [];
  await gramMatrix(head, { onEvent: (event) => void events.push(event) });
  expect(events[0]).toEqual({ type: 'work-start', task: 'vocabulary-space', total: 600 });
  expect(events.filter(({ type }) => type === 'work-progress').map((event) => 'done' in event && event.done)).toEqual([
    128, 256, 384, 512, 600,
  ]);
  expect(events.at(-1)).toMatchObject({ type: 'work-end', done: 600 });

  const controller = new AbortController();
  const reason = new Error('enough');
  const long = { weight: new Float32Array(20_000 * 768), vocabulary: 20_000, hidden: 768 };
  setTimeout(() => controller.abort(reason));
  await expect(vocabularyIsometry(long, { signal: controller.signal })).rejects.toBe(reason);
});
