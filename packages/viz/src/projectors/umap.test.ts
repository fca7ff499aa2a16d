import { counterRandom, InvalidArgumentError, type Matrix, ShapeError, selfJoin, type WorkEvent } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { expect, test } from 'vitest';
import { pca } from './pca.js';
import { umap } from './umap.js';

const dimensions = 3;

test('three blobs stay apart: all nearest neighbors in the layout are from the same blob', async () => {
  const layout = await final(blobs(40), { epochs: 100 });
  const { ids } = await selfJoin(exactIndex(), layout, { k: 5 });
  ids.forEach((id, index) => {
    expect(id % 3).toBe(Math.floor(index / 5) % 3);
  });
});

test('the same seed gives the same layout, another seed another one; a given graph gives the same as its own', async () => {
  const points = blobs(20);
  const layout = await final(points, { seed: 4 });
  expect(await final(points, { seed: 4 })).toEqual(layout);
  expect((await final(points, { seed: 5 })).data).not.toEqual(layout.data);
  const neighbors = await selfJoin(exactIndex({ metric: 'cosine' }), points, { k: 20 });
  const given: Matrix[] = [];
  for await (const round of umap({ seed: 4, epochs: 60 }).project(points, { dimensions, neighbors })) given.push(round);
  expect(given.at(-1)).toEqual(layout);
});

test('yields a layout of all points after each round and reports progress', async () => {
  const events: WorkEvent[] = [];
  const layouts: Matrix[] = [];
  const projector = umap({ seed: 1, epochs: 50 });
  for await (const layout of projector.project(blobs(10), { dimensions, onEvent: (event) => events.push(event) })) {
    layouts.push(layout);
  }
  expect(layouts.length).toBe(17); // every 3 epochs and the last one
  for (const layout of layouts) {
    expect([layout.rows, layout.cols]).toEqual([30, 3]);
    expect(layout.data.every(Number.isFinite)).toBe(true);
  }
  expect(layouts[0]!.data).not.toEqual(layouts[1]!.data);
  const done = events.flatMap((event) => (event.type === 'work-progress' && event.task === 'umap' ? [event.done] : []));
  expect(done).toEqual([...Array.from({ length: 16 }, (_, i) => 3 * (i + 1)), 50]);
});

test('up to three rows give principal components, four and more a finite layout', async () => {
  for (let rows = 0; rows <= 8; rows++) {
    const { data } = blobs(3);
    const points = { data: data.slice(0, rows * 6), rows, cols: 6 };
    const layout = await final(points, {});
    expect([layout.rows, layout.cols, layout.data.length]).toEqual([rows, 3, rows * 3]);
    expect(layout.data.every(Number.isFinite)).toBe(true);
    if (rows > 3) continue;
    for await (const components of pca().project(points, { dimensions })) expect(layout).toEqual(components);
  }
});

test('equal rows and rows of zeros give finite layouts, with equal rows near each other', async () => {
  const { data, rows, cols } = blobs(20);
  for (let row = 0; row < 20; row++) data.copyWithin(row * cols, 0, cols); // rows 0 to 19 are equal: more than k
  const layout = await final({ data, rows, cols }, { neighbors: 10, epochs: 100 });
  expect(layout.data.every(Number.isFinite)).toBe(true);
  const { ids } = await selfJoin(exactIndex(), layout, { k: 1 });
  for (let row = 0; row < 20; row++) expect(ids[row]).toBeLessThan(20);
  const zeros = await final({ data: new Float32Array(90), rows: 30, cols: 3 }, { epochs: 20 });
  expect(zeros.data.every(Number.isFinite)).toBe(true);
});

test('missing neighbors are allowed; a graph with other rows or too few neighbors is an error', async () => {
  const points = blobs(10);
  const graph = await selfJoin(exactIndex({ metric: 'cosine' }), points, { k: 15 });
  const next = (neighbors: typeof graph) =>
    umap({ seed: 1, epochs: 10 }).project(points, { dimensions, neighbors })[Symbol.asyncIterator]().next();
  const sparse = { ...graph, ids: graph.ids.slice(), distances: graph.distances.slice() };
  for (let row = 0; row < 30; row++) {
    sparse.ids.fill(-1, row * 15 + (row % 16), row * 15 + 15);
    sparse.distances.fill(Number.POSITIVE_INFINITY, row * 15 + (row % 16), row * 15 + 15);
  }
  expect((await next(sparse)).value?.data.every(Number.isFinite)).toBe(true);
  await expect(next({ ...graph, rows: 29 })).rejects.toThrow(ShapeError);
  await expect(next({ ...graph, k: 5 })).rejects.toThrow(InvalidArgumentError);
  const products = { ...graph, distances: graph.distances.map((distance) => -distance) };
  await expect(next(products)).rejects.toThrow('cosine or euclidean');
});

test('an abort stops with its reason; options are checked', async () => {
  const controller = new AbortController();
  const reason = new Error('stop');
  const layouts = umap({ seed: 1 }).project(blobs(20), { dimensions, signal: controller.signal });
  const stopped = (async () => {
    for await (const _ of layouts) controller.abort(reason);
  })();
  await expect(stopped).rejects.toBe(reason);
  for (const options of [
    { seed: 0.5 },
    { neighbors: 1 },
    { minDistance: 2 },
    { epochs: 0 },
    { metric: 'dot' as 'cosine' },
  ]) {
    expect(() => umap({ seed: 1, ...options })).toThrow(InvalidArgumentError);
  }
});

async function final(points: Matrix, options: { seed?: number; neighbors?: number; epochs?: number }): Promise<Matrix> {
  let last: Matrix | undefined;
  for await (const layout of umap({ seed: 1, epochs: 60, ...options }).project(points, { dimensions })) last = layout;
  return last!;
}

/** Three directions with noise in 6 columns; row r is from direction r % 3. */
function blobs(each: number): Matrix {
  const random = counterRandom(9);
  const data = Float32Array.from({ length: each * 3 * 6 }, (_, index) => {
    const [row, column] = [Math.floor(index / 6), index % 6];
    return (column === row % 3 ? 1 : 0) + 0.1 * random.uniform(index);
  });
  return { data, rows: each * 3, cols: 6 };
}
