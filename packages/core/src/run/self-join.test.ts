import { expect, test } from 'vitest';
import { InvalidArgumentError } from '../errors.js';
import type { Matrix } from '../spec/matrix.js';
import type { NeighborIndex, Neighbors, SearchOptions } from '../spec/neighbor-index.js';
import { selfJoin } from './self-join.js';

const answer: Neighbors = { rows: 0, k: 1, ids: new Int32Array(0), distances: new Float32Array(0) };
const points: Matrix = { data: new Float32Array(6), rows: 3, cols: 2 };

/** An index that records its calls. */
function recorder({ joins, size = 0 }: { joins: boolean; size?: number }) {
  const calls: [string, unknown?][] = [];
  const index: NeighborIndex = {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint: 'recorder',
    capabilities: { exact: true, incremental: true },
    metric: 'euclidean',
    size,
    async add(vectors) {
      calls.push(['add', vectors]);
    },
    async search(_, options: SearchOptions) {
      calls.push(['search', options]);
      return answer;
    },
    ...(joins && {
      async selfJoin(options: object) {
        calls.push(['selfJoin', options]);
        return answer;
      },
    }),
    async [Symbol.asyncDispose]() {},
  };
  return { index, calls };
}

test('uses the self-join of the index, with the caller’s options', async () => {
  const { index, calls } = recorder({ joins: true });
  const options = { k: 2, signal: new AbortController().signal };
  expect(await selfJoin(index, points, options)).toBe(answer);
  expect(calls).toEqual([
    ['add', points],
    ['selfJoin', options],
  ]);
});

test('falls back to a search that excludes each row by its own id', async () => {
  const { index, calls } = recorder({ joins: false });
  expect(await selfJoin(index, points, { k: 2 })).toBe(answer);
  expect(calls).toEqual([
    ['add', points],
    ['search', { k: 2, exclude: Int32Array.of(0, 1, 2) }],
  ]);
});

test('rejects a k without enough rows, and an index that is not empty, before adding any row', async () => {
  const { index, calls } = recorder({ joins: true });
  for (const k of [0, -1, 1.5, Number.NaN]) {
    await expect(selfJoin(index, points, { k })).rejects.toThrow(`k must be an integer ≥ 1, got ${k}`);
  }
  await expect(selfJoin(index, points, { k: 3 })).rejects.toThrow(
    'k = 3 neighbors need at least 4 rows, got 3; choose a smaller k',
  );
  const full = recorder({ joins: true, size: 5 });
  await expect(selfJoin(full.index, points, { k: 1 })).rejects.toBeInstanceOf(InvalidArgumentError);
  expect([...calls, ...full.calls]).toEqual([]);
});

test('rejects unknown options', async () => {
  const { index } = recorder({ joins: true });
  await expect(selfJoin(index, points, { k: 2, exclude: 1 } as { k: number })).rejects.toThrow(
    'selfJoin has no option "exclude"; it has the options "k", "signal", "onEvent"',
  );
});
