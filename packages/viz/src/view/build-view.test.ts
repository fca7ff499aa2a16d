import {
  InvalidArgumentError,
  type Matrix,
  NotFiniteError,
  type Projector,
  ShapeError,
  type WorkEvent,
} from '@rarefy/core';
import { expect, test } from 'vitest';
import { jsonExporter } from '../exporters/json.js';
import { pca } from '../projectors/pca.js';
import { buildView, scaleAxes, viewDensity } from './build-view.js';
import { viewPoints } from './view-points.js';

const prompts = [
  { id: 'a', prompt: 'one', src: 'x' },
  { id: 'b', prompt: 'two', sources: ['y'] },
  { id: 'c', prompt: 'three', sources: ['y', 'x'] },
  { id: 'd', prompt: 'four', sources: ['x', 'y'] },
  { id: 'e', prompt: `${'🙂'.repeat(199)}é🙂`, sources: ['y'] },
  { id: 'f', prompt: 'six </script>', sources: ['y'] },
  { id: 'g', prompt: 'seven' },
];
const embeddings: Matrix = {
  data: Float32Array.from({ length: 7 * 4 }, (_, i) => Math.sin(i * i)),
  rows: 7,
  cols: 4,
};

test('a view has the scaled layout, the density, the sources and the prompts', async () => {
  const events: WorkEvent[] = [];
  const onEvent = (event: WorkEvent) => events.push(event);
  const view = await buildView(prompts, embeddings, { projector: pca(), onEvent });
  expect(view.ids).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  for await (const layout of pca().project(embeddings, { dimensions: 3 }))
    expect(view.layout).toEqual(scaleAxes(layout));
  expect(view.columns).toEqual({
    source: { type: 'category', labels: ['y', 'x + y', 'unknown', 'x'], codes: Uint32Array.of(3, 0, 1, 1, 0, 0, 2) },
    density: { type: 'number', values: await viewDensity(embeddings) },
    prompt: { type: 'text', values: prompts.map(({ prompt }) => prompt) },
  });
  expect(events.some((event) => event.type === 'work-end' && event.task === 'pca')).toBe(true);
});

test('the default projector is umap, and the same seed gives the same view', async () => {
  const view = await buildView(prompts, embeddings, { seed: 3 });
  expect(await buildView(prompts, embeddings, { seed: 3 })).toEqual(view);
  expect((await buildView(prompts, embeddings, { seed: 4 })).layout).not.toEqual(view.layout);
});

test('points have the fields of the file, in order', async () => {
  const view = await buildView(prompts, embeddings, { projector: pca() });
  const points = viewPoints(view);
  points.forEach((point, row) => {
    const { values } = view.columns.density as { values: Float32Array };
    expect(Object.keys(point)).toEqual(['x', 'y', 'z', 'size', 'color', 'prompt']);
    expect([point.x, point.y, point.z]).toEqual([...view.layout.data.subarray(3 * row, 3 * row + 3)]);
    expect(point.size).toBe(0.5 + (1 - values[row]!) * 2);
  });
  expect(points[2]!.color).toBe(points[3]!.color);
  expect(new Set(points.map(({ color }) => color)).size).toBe(4);
  expect(points[4]!.prompt).toBe(`${'🙂'.repeat(199)}é`);

  const files = [];
  for await (const file of jsonExporter().export(view)) files.push(file);
  expect(files.map(({ path }) => path)).toEqual(['embeddings_3d.json']);
  expect(JSON.parse(new TextDecoder().decode(files[0]!.bytes))).toEqual(points);
});

test('a 2D layout has z = 0; an empty view gives an empty file', async () => {
  const view = await buildView(prompts, embeddings, { projector: pca() });
  const flat = { ...view, layout: { data: Float32Array.from({ length: 14 }, (_, i) => i / 14), rows: 7, cols: 2 } };
  expect(viewPoints(flat).map(({ z }) => z)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  const none = await buildView([], { data: new Float32Array(0), rows: 0, cols: 4 });
  for await (const { bytes } of jsonExporter().export(none))
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual([]);
});

test('parts that do not fit together are errors', async () => {
  await expect(buildView(prompts.slice(1), embeddings)).rejects.toThrow(ShapeError);
  const projector = (layout: Matrix): Projector => ({
    ...pca(),
    async *project() {
      yield layout;
    },
  });
  const flat = { data: new Float32Array(14), rows: 7, cols: 2 };
  await expect(buildView(prompts, embeddings, { projector: projector(flat) })).rejects.toThrow(ShapeError);
  const broken = { data: new Float32Array(21).fill(Number.NaN), rows: 7, cols: 3 };
  await expect(buildView(prompts, embeddings, { projector: projector(broken) })).rejects.toThrow(NotFiniteError);
  const view = await buildView(prompts, embeddings, { projector: pca() });
  const { density: _, ...columns } = view.columns;
  expect(() => viewPoints({ ...view, columns })).toThrow(InvalidArgumentError);
  expect(() => viewPoints({ ...view, columns })).toThrow('density');
  const short = { ...view.columns, prompt: { type: 'text', values: ['one'] } } as const;
  expect(() => viewPoints({ ...view, columns: short })).toThrow(ShapeError);
  const reason = new Error('stop');
  await expect(buildView(prompts, embeddings, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const many = { ...view, ids: new Array<string>(1_000_001).fill('') };
  await expect(jsonExporter().export(many)[Symbol.asyncIterator]().next()).rejects.toThrow('1000001 points');
});

test('each axis spans [-1, 1]; a constant axis is 0; the input is unchanged', () => {
  const layout = { data: Float32Array.of(0, 5, -3, 10, 5, 1, 5, 5, -1), rows: 3, cols: 3 };
  const before = layout.data.slice();
  expect(scaleAxes(layout)).toEqual({ data: Float32Array.of(-1, 0, -1, 1, 0, 1, 0, 0, 0), rows: 3, cols: 3 });
  expect(layout.data).toEqual(before);
});

test('no rows, one row, and the full range of float32', () => {
  expect(scaleAxes({ data: new Float32Array(0), rows: 0, cols: 3 }).data.length).toBe(0);
  expect([...scaleAxes({ data: Float32Array.of(4, -2), rows: 1, cols: 2 }).data]).toEqual([0, 0]);
  expect([...scaleAxes({ data: Float32Array.of(-3e38, 3e38, 0), rows: 3, cols: 1 }).data]).toEqual([-1, 1, 0]);
});
