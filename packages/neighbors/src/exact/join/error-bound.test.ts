import { type Matrix, type Metric, timeSlices } from '@rarefy/core';
import { type JoinMemory, joinMemory } from '@rarefy/neighbors-wasm';
import { expect, test } from 'vitest';
import { hardValues, matrixOf, normal, uniforms } from '../../../../../tests/support/exact-rows.js';
import { casesOf } from '../../../../../tests/support/exhaustive.js';
import { canonicalDistance } from '../../distance/canonical-distance.js';
import { noGroups } from '../../rows/equal-rows.js';
import { readerOf } from '../../rows/row-reader.js';
import { appendRows, noRows } from '../../rows/rows.js';
import { startCrew } from '../../workers/crew.js';
import { joinSegments, readSegment } from './join-segments.js';

// The values and errors of the wasm module, computed in the same way from its memory; see assembly/tiles.ts and
// assembly/lists.ts of neighbors-wasm.
function valuesOf({ memory, addresses, stride, parametersAt, rowAt }: JoinMemory) {
  const { buffer } = memory;
  const positions = rowAt.length;
  const float32 = (name: keyof typeof addresses, length = positions) =>
    new Float32Array(buffer, addresses[name], length);
  const [scales, halves, norms, rests] = (['scales', 'halves', 'norms', 'rests'] as const).map((name) =>
    float32(name),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const [groupNorms, groupRests] = [float32('groupNorms', positions / 32), float32('groupRests', positions / 32)];
  const panels = new Int16Array(buffer, addresses.panels, stride * positions);
  const [unit, bound] = new Float64Array(buffer, parametersAt + 48, 2);
  const entry = (position: number, column: number) =>
    panels[((position >> 3) * (stride >> 1) + (column >> 1)) * 16 + (position & 7) * 2 + (column & 1)]!;
  const f = Math.fround;
  let mostSum = 0;
  return {
    unit: unit!,
    mostSum: () => mostSum,
    value(i: number, j: number) {
      let sum = 0;
      for (let column = 0; column < stride; column++) sum += entry(i, column) * entry(j, column);
      mostSum = Math.max(mostSum, Math.abs(sum));
      return f(f(halves[i]! + halves[j]!) - f(f(sum) * f(scales[i]! * scales[j]!)));
    },
    error: (i: number, j: number) =>
      f(f(norms[i]! * f(f(bound!) * groupNorms[j >> 5]!)) + f(rests[i]! + groupRests[j >> 5]!)),
  };
}

/** The largest ratio of a pair's error to its bound. */
async function worstShare(points: Matrix, metric: Metric): Promise<number> {
  const reader = readerOf(points, 'points', {});
  const slices = timeSlices(undefined);
  const rows = await appendRows(noRows, reader, slices);
  const memory = joinMemory({ metric, stride: rows.stride, k: 3, rows: [rows.rows, 0], crowded: 0 });
  const { wordsAt, parametersAt, rowAt } = memory;
  const shared = { memory: memory.memory, wordsAt, parametersAt };
  const crew = await startCrew({ name: 'join', ...shared, workers: 0, signal: undefined });
  const tools = { memory, crew, slices };
  const side = {
    reader,
    groups: noGroups(rows.rows),
    squared: new Float64Array(rows.rows),
    lists: new Uint32Array(6 * rows.rows).fill(0xffffffff),
  };
  const loaded = await readSegment(tools, side, { start: 0, end: rows.rows }, 0);
  side.squared.set(memory.squared);
  await joinSegments(tools, [loaded], () => {});
  const { unit, value, error, mostSum } = valuesOf(memory);
  let worst = 0;
  for (let i = 0; i < rowAt.length; i++) {
    for (let j = 0; j < rowAt.length; j++) {
      const [x, y] = [rowAt[i]!, rowAt[j]!];
      if (i === j || x < 0 || y < 0) continue;
      const d = canonicalDistance[metric](rows, x, rows, y);
      if (!Number.isFinite(d)) continue; // such rows are scanned in full
      const truth = metric === 'euclidean' ? (d * unit) ** 2 / 2 : metric === 'dot' ? d * unit * unit : d - 1;
      const bound = error(i, j);
      if (bound === Infinity) continue;
      worst = Math.max(worst, Math.abs(value(i, j) - truth) / bound);
    }
  }
  expect(mostSum()).toBeLessThan(2 ** 31);
  return worst;
}

test.each(Object.entries(hardValues))(
  'the value of a pair differs from its canonical distance by no more than the bound: %s',
  async (_name, draw) => {
    const uniform = uniforms(1);
    for (const metric of ['euclidean', 'cosine', 'dot'] as const) {
      for (let round = 0; round < casesOf(1, 12); round++) {
        const points = matrixOf(45, 1 + Math.floor(uniform() * 40), () => draw(uniform));
        expect(await worstShare(points, metric)).toBeLessThan(1);
      }
    }
  },
);

test('the same where rounding is worst: rows of one column, far from the origin, or of one huge and many small values', async () => {
  const uniform = uniforms(2);
  let most = 0;
  for (const metric of ['euclidean', 'cosine', 'dot'] as const) {
    for (let round = 0; round < casesOf(5, 60); round++) {
      const scale = 10 ** (uniform() * 20 - 10);
      const offset = 10 ** (uniform() * 6 - 2);
      const cols = 1 + Math.floor(uniform() ** 3 * 60);
      const sparse = uniform() < 0.3;
      const points = matrixOf(
        60,
        cols,
        () => scale * (offset + normal(uniform) * (sparse && uniform() < 0.9 ? 1e-3 : 1)),
      );
      for (let row = 0; row < 45; row += 7) points.data[row * cols] = scale * 10 ** (uniform() * 6);
      most = Math.max(most, await worstShare(points, metric));
    }
  }
  expect(most).toBeLessThan(1);
  expect(most).toBeGreaterThan(0.01); // the bound is not much larger than the errors
});
