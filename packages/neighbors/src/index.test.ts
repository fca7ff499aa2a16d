import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Neighbors, selfJoin } from '@rarefy/core';
import { normalPoints } from '@rarefy/testing';
import { expect, test } from 'vitest';
import { faissIndex } from './engines/faiss/faiss-index.js';
import { tfjsIndex } from './engines/tfjs/tfjs-index.js';
import { hnswIndex } from './graph/hnsw/hnsw-index.js';
import * as root from './index.js';

const points = normalPoints(40, 3, 1);
const { autoIndex, exactIndex, exactNeighbors, groupEqualRows, measureRecall, nnDescent, nnDescentIndex } = root;

test('the root has what needs no library, and no entry of a library', async () => {
  expect(Object.keys(root).sort()).toEqual([
    'autoIndex',
    'exactIndex',
    'exactNeighbors',
    'groupEqualRows',
    'measureRecall',
    'nnDescent',
    'nnDescentIndex',
  ]);
  const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(exports['.']['@rarefy/source']).toBe('./src/index.ts');

  const graph = await selfJoin(exactIndex(), points, { k: 3 });
  for (const index of [autoIndex(), nnDescentIndex()]) {
    expect((await selfJoin(index, points, { k: 3 })).ids).toEqual(graph.ids);
  }
  expect((await measureRecall(points, graph)).value).toBe(1);
  expect((await groupEqualRows(points)).distinct.length).toBe(40);
});

test('every function with options refuses unknown names, and suggests the nearest one', async () => {
  const untyped = <Value>(value: unknown) => value as Value;
  const graph = untyped<Neighbors>({ rows: 40, k: 1, ids: new Int32Array(40), distances: new Float32Array(40) });
  const calls: Readonly<Record<string, readonly [() => unknown, string]>> = {
    autoIndex: [() => autoIndex(untyped({ exactUpto: 5 })), 'did you mean "exactUpTo"?'],
    exactIndex: [() => exactIndex(untyped({ metrik: 'dot' })), 'did you mean "metric"?'],
    exactNeighbors: [() => exactNeighbors(points, untyped({ k: 2, worker: 1 })), 'did you mean "workers"?'],
    nnDescentIndex: [() => nnDescentIndex(untyped({ tree: 3 })), 'did you mean "trees"?'],
    nnDescent: [() => nnDescent(points, untyped({ k: 2, round: 3 })), 'did you mean "rounds"?'],
    measureRecall: [() => measureRecall(points, graph, untyped({ samples: 3 })), 'did you mean "sample"?'],
    hnswIndex: [() => hnswIndex(untyped({ type: 'int8' })), 'did you mean "dtype"?'],
    faissIndex: [() => faissIndex(untyped({ factori: 'Flat' })), 'did you mean "factory"?'],
    tfjsIndex: [() => tfjsIndex(untyped({ blockRow: 1 })), 'did you mean "blockRows"?'],
  };
  for (const [name, [call, message]] of Object.entries(calls)) {
    const result = (async () => call())();
    await expect(result, name).rejects.toThrow(InvalidArgumentError);
    await expect(result, name).rejects.toThrow(message);
  }
});

test('a misspelled option of a search is refused', async () => {
  await using index = exactIndex();
  await index.add({ data: Float32Array.of(1, 2), rows: 2, cols: 1 });
  const query = { data: Float32Array.of(1), rows: 1, cols: 1 };
  const wrong = { k: 1, exlude: Int32Array.of(0) };
  await expect(index.search(query, wrong)).rejects.toThrow('search has no option "exlude"; did you mean "exclude"?');
});
