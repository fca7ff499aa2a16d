import {
  type EmbeddingView,
  type Exporter,
  InvalidArgumentError,
  type Matrix,
  type Neighbors,
  NotFiniteError,
  type Projector,
  ShapeError,
} from '@rarefy/core';
import { beforeAll, expect, test } from 'vitest';
import {
  buildView,
  jsonExporter,
  pageExporter,
  pca,
  scaleAxes,
  sourceColor,
  umap,
  viewDensity,
  viewPoints,
} from './index.js';

/** Options as JavaScript can pass them. */
const wrong = <Value>(options: unknown) => options as Value;
const calls: Record<string, [create: () => unknown, message: string]> = {
  umap: [() => umap(wrong({ seed: 1, neighbours: 5 })), 'umap has no option "neighbours"; did you mean "neighbors"?'],
  pca: [() => pca(wrong({ dimensions: 3 })), 'pca has no option "dimensions"; it has no options'],
  jsonExporter: [() => jsonExporter(wrong({ path: 'a' })), 'jsonExporter has no option "path"; it has no options'],
  pageExporter: [
    () => pageExporter(wrong({ tittle: 'a' })),
    'pageExporter has no option "tittle"; did you mean "title"?',
  ],
  buildView: [
    () => buildView([], { data: new Float32Array(0), rows: 0, cols: 3 }, wrong({ projectors: pca() })),
    'buildView has no option "projectors"; did you mean "projector"?',
  ],
};

test.each(Object.entries(calls))('%s refuses an option that it does not have', async (_, [create, message]) => {
  const failed = Promise.resolve().then(create);
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(message);
});

const embeddings: Matrix = {
  data: Float32Array.from({ length: 24 }, (_, index) => Math.sin(index * index)),
  rows: 6,
  cols: 4,
};
const prompts = Array.from({ length: 6 }, (_, row) => ({ id: `id ${row}`, prompt: `prompt ${row}` }));
const spoiled = { ...embeddings, data: embeddings.data.map((value, index) => (index === 5 ? Number.NaN : value)) };
let view: EmbeddingView;
beforeAll(async () => {
  view = await buildView(prompts, embeddings, { projector: pca() });
});

test('wrong options of projectors and exporters are refused when they are made', () => {
  expect(() => umap(wrong(undefined))).toThrow('seed must be a safe integer, got undefined');
  expect(() => umap({ seed: 1, minDistance: wrong('0.1') })).toThrow(
    'minDistance must be a number in [0, 1], got "0.1"',
  );
  expect(() => pageExporter({ title: wrong(7) })).toThrow('title must be a text, got a number');
  expect(() => sourceColor(wrong(-1))).toThrow('code must be an integer ≥ 0, got -1');
});

test.each<[string, () => unknown, { isInstance(error: unknown): boolean }, string]>([
  [
    'prompts as texts',
    () => buildView(wrong(['a']), embeddings),
    InvalidArgumentError,
    'item 0 is a string; expected an object',
  ],
  [
    'a prompt without its text',
    () => buildView(wrong([...prompts.slice(1), { id: 'a' }]), embeddings),
    InvalidArgumentError,
    'item 5 has undefined as prompt; expected an object with the texts id and prompt',
  ],
  [
    'sources in one text',
    () => buildView(wrong(prompts.map((row) => ({ ...row, sources: 'a' }))), embeddings),
    InvalidArgumentError,
    'item 0 has a string as sources, not an array',
  ],
  [
    'no list of prompts',
    () => buildView(wrong('prompts'), embeddings),
    InvalidArgumentError,
    'must be an array, got a string',
  ],
  [
    'fewer prompts than rows',
    () => buildView(prompts.slice(1), embeddings),
    ShapeError,
    'there are 5 prompts but 6 embeddings',
  ],
  ['rows in arrays', () => buildView(prompts, wrong([[1, 2]])), InvalidArgumentError, 'embeddings must be'],
  ['embeddings with NaN', () => buildView(prompts, spoiled), NotFiniteError, 'NaN in row 1, column 1'],
  [
    'a function that makes a projector',
    () => buildView(prompts, embeddings, { projector: wrong(pca) }),
    InvalidArgumentError,
    'buildView needs a projector, got a function; call the function that makes one, such as pca()',
  ],
  ['a text as seed', () => buildView(prompts, embeddings, { seed: wrong('1') }), InvalidArgumentError, 'seed must be'],
  ['a density of rows in arrays', () => viewDensity(wrong([[1]])), InvalidArgumentError, 'embeddings must be'],
  [
    'options of a density',
    () => viewDensity(embeddings, wrong({ k: 3 })),
    InvalidArgumentError,
    'viewDensity has no option "k"',
  ],
  ['axes with NaN', async () => scaleAxes(spoiled), NotFiniteError, 'points of the layout have NaN in row 1'],
])('buildView and its parts refuse %s', async (_, call, type, message) => {
  const error = await Promise.resolve()
    .then(call)
    .catch((cause: unknown) => cause);
  expect(String(error)).toContain(message);
  expect(type.isInstance(error)).toBe(true);
});

/** The first layout of a projector. */
const project = (projector: Projector, options: unknown, points: Matrix = embeddings) =>
  projector.project(points, wrong(options))[Symbol.asyncIterator]().next();
const graph: Neighbors = { rows: 6, k: 4, ids: new Int32Array(24), distances: new Float32Array(24).fill(1) };
const graphs: Record<
  string,
  [changes: Partial<Neighbors>, type: { isInstance(error: unknown): boolean }, message: string]
> = {
  'too few ids': [
    { ids: new Int32Array(20) },
    ShapeError,
    'the neighbor graph has 20 ids and 24 distances, but needs 6 rows x 4',
  ],
  'no ids': [{ ids: wrong(undefined) }, ShapeError, 'the neighbor graph has undefined ids and 24 distances'],
  'ids of other points': [
    { ids: new Int32Array(24).fill(6) },
    InvalidArgumentError,
    'the id 6 in row 0, but there are 6 points',
  ],
  'NaN as a distance': [
    { distances: new Float32Array(24).fill(Number.NaN) },
    NotFiniteError,
    'the distance NaN in row 0',
  ],
};

test.each(Object.entries(graphs))('umap refuses a neighbor graph with %s', async (_, [changes, type, message]) => {
  const error = await project(umap({ seed: 1 }), { dimensions: 2, neighbors: { ...graph, ...changes } }).catch(
    (cause) => cause,
  );
  expect(String(error)).toContain(message);
  expect(type.isInstance(error)).toBe(true);
});

test.each([
  ['pca', pca()],
  ['umap', umap({ seed: 1 })],
])('project of %s refuses unknown options, other dimensions and no options', async (name, projector) => {
  await expect(project(projector, { dimension: 3 })).rejects.toThrow(
    `project of ${name} has no option "dimension"; did you mean "dimensions"?`,
  );
  await expect(project(projector, undefined)).rejects.toThrow('dimensions must be 2 or 3, got undefined');
  await expect(project(projector, { dimensions: '3' })).rejects.toThrow('dimensions must be 2 or 3, got a string');
  await expect(project(projector, { dimensions: 2 }, spoiled)).rejects.toThrow(NotFiniteError);
});

const views: Record<string, [change: (view: EmbeddingView) => unknown, message: string]> = {
  'no view': [() => undefined, 'an exporter needs a view { ids, layout, columns }, got undefined'],
  'a promise of a view': [(right) => Promise.resolve(right), 'ids in undefined'],
  'fewer ids than points': [
    (right) => ({ ...right, ids: right.ids.slice(1) }),
    'a view of 5 ids needs a layout of 5 x 2 or 3, got 6 x 3',
  ],
  'an id that is a number': [
    (right) => ({ ...right, ids: [7, ...right.ids.slice(1)] }),
    'id 0 of the view is a number; expected a text',
  ],
  'a layout with NaN': [
    (right) => ({ ...right, layout: { ...right.layout, data: right.layout.data.slice().fill(Number.NaN, 4, 5) } }),
    'points of the layout have NaN in row 1, column 1',
  ],
  'no columns': [({ ids, layout }) => ({ ids, layout }), 'a view needs a category column named source, got none'],
  'densities in an array': [
    (right) => ({ ...right, columns: { ...right.columns, density: { type: 'number', values: [1, 2, 3, 4, 5, 6] } } }),
    'column density must hold its values in Float32Array, got Array',
  ],
  'a density of NaN': [
    (right) => ({
      ...right,
      columns: { ...right.columns, density: { type: 'number', values: new Float32Array(6).fill(Number.NaN, 2) } },
    }),
    'density NaN at position 2 must be finite',
  ],
  'a code without a label': [
    (right) => ({
      ...right,
      columns: { ...right.columns, source: { type: 'category', codes: new Uint32Array(6), labels: [] } },
    }),
    'column source has the code 0 at position 0, but no label for it',
  ],
  'a prompt that is no text': [
    (right) => ({
      ...right,
      columns: { ...right.columns, prompt: { type: 'text', values: ['a', 'b', 'c', 'd', 'e', 7] } },
    }),
    'column prompt has a number at position 5; expected a text',
  ],
};

test.each(Object.entries(views))('exporters refuse %s', async (_, [change, message]) => {
  const given = wrong<EmbeddingView>(change(view));
  const first = (exporter: Exporter) => exporter.export(given)[Symbol.asyncIterator]().next();
  for (const exporter of [jsonExporter(), pageExporter()]) await expect(first(exporter)).rejects.toThrow(message);
  expect(() => viewPoints(given)).toThrow(message);
});

test('export refuses an option that it does not have', async () => {
  const files = jsonExporter().export(view, wrong({ onevent() {} }));
  await expect(files[Symbol.asyncIterator]().next()).rejects.toThrow('did you mean "onEvent"?');
});
