import { counterRandom, InvalidArgumentError, type Matrix, NotFiniteError, ShapeError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { pca } from './pca.js';
import { symmetricEigen } from './symmetric-eigen.js';

const shapes = [
  [200, 12],
  [40, 100],
  [7, 3],
  [300, 60],
] as const;

test.each(shapes)('%i x %i equals the eigenvectors of the explicit covariance', async (rows, cols) => {
  const points = randomPoints(rows, cols, 1);
  const layout = await project(points);
  const { mean, covariance } = naiveCovariance(points);
  const { vectors } = symmetricEigen(covariance, cols);
  for (let axis = 0; axis < 3; axis++) {
    const direction = vectors.subarray(axis * cols, (axis + 1) * cols);
    const loading = direction.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
    for (let row = 0; row < rows; row++) {
      let score = 0;
      for (let j = 0; j < cols; j++) score += (points.data[row * cols + j]! - mean[j]!) * direction[j]!;
      expect(layout.data[row * 3 + axis]).toBeCloseTo(score * Math.sign(loading), 5);
    }
  }
});

test('the variance that is lost is the sum of the other eigenvalues, the least possible', async () => {
  const points = randomPoints(150, 30, 2);
  const layout = await project(points);
  const { covariance } = naiveCovariance(points);
  const { values } = symmetricEigen(covariance, 30);
  const kept = layout.data.reduce((sum, value) => sum + value * value, 0) / 150;
  const total = values.reduce((sum, value) => sum + value, 0);
  const lost = values.slice(3).reduce((sum, value) => sum + value, 0);
  expect(total - kept).toBeCloseTo(lost, 5);
});

test('equal variances still give orthogonal axes', async () => {
  const corners = [0, 1, 2, 3].flatMap((axis) =>
    [1, -1].map((sign) => [0, 1, 2, 3].map((j) => (j === axis ? sign : 0))),
  );
  const layout = await project({ data: Float32Array.from(corners.flat()), rows: 8, cols: 4 });
  for (let a = 0; a < 3; a++) {
    for (let b = 0; b <= a; b++) {
      let inner = 0;
      for (let row = 0; row < 8; row++) inner += layout.data[row * 3 + a]! * layout.data[row * 3 + b]!;
      expect(inner).toBeCloseTo(a === b ? 2 : 0, 5);
    }
  }
});

test('axes without variance are 0: few rows, equal rows, points on a line, one column', async () => {
  const ones = new Float32Array(30).fill(0.1);
  expect((await project({ data: ones, rows: 5, cols: 6 })).data).toEqual(new Float32Array(15));
  expect((await project({ data: ones, rows: 1, cols: 30 })).data).toEqual(new Float32Array(3));
  expect(await project({ data: new Float32Array(0), rows: 0, cols: 4 })).toEqual({
    data: new Float32Array(0),
    rows: 0,
    cols: 3,
  });
  const line = await project({ data: Float32Array.of(0.1, 0.2, 0.3, 0.6, 0.7, 1.4), rows: 3, cols: 2 });
  expect(line.data[0]).toBeLessThan(line.data[3]!);
  expect([1, 2, 4, 5, 7, 8].map((index) => line.data[index])).toEqual([0, 0, 0, 0, 0, 0]);
  const column = await project({ data: Float32Array.of(3, 1, 2), rows: 3, cols: 1 });
  for (const [index, value] of [1, 0, 0, -1, 0, 0, 0, 0, 0].entries())
    expect(column.data[index]).toBeCloseTo(value, 12);
});

test('repeats are equal; invalid points and aborts are errors', async () => {
  const points = randomPoints(50, 20, 3);
  expect(await project(points)).toEqual(await project(points));
  points.data[45] = Number.NaN;
  await expect(project(points)).rejects.toThrow(NotFiniteError);
  await expect(project(points)).rejects.toThrow('row 2');
  await expect(project({ ...points, rows: 51 })).rejects.toThrow(ShapeError);
  const layouts = pca().project(randomPoints(4, 4, 4), { dimensions: 4 as 3 });
  await expect(layouts[Symbol.asyncIterator]().next()).rejects.toThrow(InvalidArgumentError);
  const controller = new AbortController();
  const reason = new Error('stop');
  setImmediate(() => controller.abort(reason));
  const aborted = pca().project(randomPoints(500, 100, 5), { dimensions: 2, signal: controller.signal });
  await expect(aborted[Symbol.asyncIterator]().next()).rejects.toBe(reason);
});

async function project(points: Matrix): Promise<Matrix> {
  for await (const layout of pca().project(points, { dimensions: 3 })) return layout;
  throw new Error('no layout');
}

/** Uniform columns of decreasing spread, mixed so that no axis is a column. */
function randomPoints(rows: number, cols: number, seed: number): Matrix {
  const random = counterRandom(seed);
  const data = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < cols; j++) {
      const value = (random.uniform(row * cols + j) - 0.5) / (1 + j);
      data[row * cols + j]! += value;
      data[row * cols + ((j * 7 + 1) % cols)]! -= 0.5 * value;
    }
  }
  return { data, rows, cols };
}

function naiveCovariance({ data, rows, cols }: Matrix): { mean: Float64Array; covariance: Float64Array } {
  const entry = (row: number, j: number) => data[row * cols + j]!;
  const mean = Float64Array.from({ length: cols }, (_, j) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += entry(row, j);
    return sum / rows;
  });
  const covariance = Float64Array.from({ length: cols * cols }, (_, index) => {
    const [i, j] = [Math.floor(index / cols), index % cols];
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += (entry(row, i) - mean[i]!) * (entry(row, j) - mean[j]!);
    return sum / rows;
  });
  return { mean, covariance };
}
