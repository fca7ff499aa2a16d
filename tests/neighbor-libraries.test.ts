import type { Matrix, Metric, NeighborIndex, WorkEvent } from '@rarefy/core';
import { InvalidArgumentError, MissingDependencyError, selfJoin } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { faissIndex } from '@rarefy/neighbors/faiss';
import { hnswIndex } from '@rarefy/neighbors/hnsw';
import { clusters, neighborIndexChecks, normalPoints, rowsOf } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { describe, expect, test, vi } from 'vitest';
import { casesOf } from './support/exhaustive.js';
import { isInstalled } from './support/is-installed.js';
import { faissLibrary, faissReason, usearchLibrary, usearchReason } from './support/neighbor-libraries.js';
import { steppedClock } from './support/stepped-clock.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];
const spreads = Array.from({ length: 20 }, (_, cluster) => 0.05 + 0.02 * cluster);

/** Rows that are hard for float32 arithmetic, with their names. */
function hardRows(): readonly (readonly [string, Matrix])[] {
  const scaled = (points: Matrix, value: (x: number, at: number) => number) => ({
    ...points,
    data: points.data.map((x, at) => value(x, at)),
  });
  const plain = normalPoints(300, 9, 1);
  return [
    ['plain', plain],
    ['small integers, full of ties', scaled(plain, (x) => Math.round(x))],
    [
      'every row three times',
      rowsOf(
        normalPoints(100, 9, 2),
        [...Array(300).keys()].map((row) => row % 100),
      ),
    ],
    ['all rows equal', rowsOf(plain, Array(120).fill(7))],
    ['some zero rows', scaled(plain, (x, at) => (Math.floor(at / 9) % 5 === 0 ? 0 : x))],
    ['far from the origin', scaled(plain, (x) => 1000 + 1e-3 * x)],
    ['tiny', scaled(plain, (x) => 1e-30 * x)],
    ['huge', scaled(plain, (x) => 1e17 * x)],
    ['twelve decades of length', scaled(plain, (x, at) => x * 10 ** ((Math.floor(at / 9) % 13) - 6))],
  ];
}

async function expectExact(create: () => Promise<NeighborIndex>, points: Matrix, k: number, name: string) {
  const index = await create();
  const expected = await selfJoin(exactIndex({ metric: index.metric }), points, { k });
  expect(await selfJoin(index, points, { k }), name).toEqual(expected);
}

describe.skipIf(faissReason !== '')(`faissIndex${faissReason}`, () => {
  const lib = faissLibrary;
  for (const metric of metrics) {
    for (const factory of ['Flat', 'HNSW32', 'IVF4,Flat']) {
      describeChecks(
        `${factory}, ${metric}`,
        neighborIndexChecks({
          create: () => faissIndex({ metric, factory, lib }),
          variants: [() => faissIndex({ metric, factory: 'SQ8', lib })],
          fingerprint: `faiss-index:metric=${metric},factory=${factory}`,
        }),
      );
    }
    test(`Flat equals exactIndex bit for bit, ${metric}`, async () => {
      for (const [name, points] of hardRows()) {
        await expectExact(() => faissIndex({ metric, lib }), points, 10, name);
      }
      await expectExact(() => faissIndex({ metric, lib }), normalPoints(30, 3, 3), 29, 'k = rows - 1');
    });
  }

  test('Flat equals exactIndex for random shapes', async () => {
    for (let seed = 0; seed < casesOf(20, 200); seed++) {
      const rows = 2 + ((seed * 37) % 299);
      const points = normalPoints(rows, 1 + ((seed * 11) % 64), seed);
      const metric = metrics[seed % 3]!;
      await expectExact(() => faissIndex({ metric, lib }), points, 1 + ((seed * 7) % (rows - 1)), `seed ${seed}`);
    }
  });

  test('approximate kinds report their recall, and warn if it is low', async () => {
    const points = clusters(spreads, 50, 24, 5);
    const random = normalPoints(1000, 64, 6);
    for (const [factory, least] of [
      ['HNSW32', 0.98],
      ['SQ8', 0.98],
      ['IVF16,Flat', 0.9],
      ['IVF16_HNSW32,SQ8', 0.9],
      ['IVF4,PQ4x4', 0.2],
    ] as const) {
      const { recall } = await selfJoin(await faissIndex({ factory, lib }), points, { k: 10 });
      expect(recall!.sampledRows, factory).toBe(1000);
      expect(recall!.value, factory).toBeGreaterThan(least);
      expect(recall!.value, factory).toBeLessThanOrEqual(1);
    }
    const warnings: string[] = [];
    const onEvent = (event: WorkEvent) => event.type === 'work-warning' && warnings.push(event.code);
    const { recall } = await selfJoin(await faissIndex({ factory: 'IVF16,Flat', lib }), random, { k: 10, onEvent });
    expect(recall!.value).toBeLessThan(0.95);
    expect(warnings).toEqual(['low-recall']);
  });

  test('rows added after training are found too', async () => {
    const points = clusters(spreads, 30, 16, 7);
    const index = await faissIndex({ factory: 'IVF4,Flat', lib });
    await index.add(rowsOf(points, [...Array(300).keys()]));
    await index.search(rowsOf(points, [0]), { k: 1 });
    await index.add(
      rowsOf(
        points,
        [...Array(300).keys()].map((row) => 300 + row),
      ),
    );
    const { ids } = await index.search(rowsOf(points, [450, 599]), { k: 1 });
    expect(Array.from(ids)).toEqual([450, 599]);
  });

  test('a factory with which faiss would end the process is refused', async () => {
    for (const factory of ['', 'nonsense', 'OPQ8,Flat', 'Flat,RFlat', 'IVF,Flat', 'toString']) {
      await expect(faissIndex({ factory, lib })).rejects.toThrow('factory must be a string like Flat');
    }
    // faiss divides by these numbers, takes their logarithm, or reads past the end of an array.
    for (const factory of [
      'IVF0,Flat',
      'HNSW0',
      'HNSW1',
      'IVF4_HNSW1,Flat',
      'HNSW99999999999',
      'PQ0',
      'PQ4x0',
      'PQ4x25',
    ]) {
      await expect(faissIndex({ factory, lib })).rejects.toThrow(/^factory \S+: the number \d+ must be from [12] to /);
    }
    const index = await faissIndex({ factory: 'PQ3x1', lib });
    await index.add(normalPoints(200, 4, 1));
    await expect(index.search(normalPoints(1, 4, 2), { k: 1 })).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(faissIndex({ metric: 'toString' as Metric, lib })).rejects.toThrow('metric must be one of');
  });

  test('timers run during conversion, building and searching', async () => {
    const points = normalPoints(4000, 256, 8);
    const index = await faissIndex({ lib });
    steppedClock(5);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await index.add(points);
    await index.search(rowsOf(points, [...Array(200).keys()]), { k: 5 });
    clearInterval(timer);
    vi.restoreAllMocks();
    expect(ticks).toBeGreaterThan(2);
  });
});

describe.skipIf(usearchReason !== '')(`hnswIndex${usearchReason}`, () => {
  const lib = usearchLibrary;
  for (const metric of metrics) {
    describeChecks(
      metric,
      neighborIndexChecks({
        create: () => hnswIndex({ metric, lib }),
        variants: [
          () => hnswIndex({ metric, lib, dtype: 'float32' }),
          () => hnswIndex({ metric, lib, dtype: 'int8' }),
          () => hnswIndex({ metric, lib, connectivity: 32 }),
          () => hnswIndex({ metric, lib, expansionAdd: 64 }),
          () => hnswIndex({ metric, lib, expansionSearch: 32 }),
        ],
        fingerprint: `hnsw-index:metric=${metric},dtype=bfloat16,connectivity=16,expansionAdd=128,expansionSearch=64`,
      }),
    );
  }

  test('finds nearly all neighbors of clustered rows, some added after a search, the same each time', async () => {
    const points = clusters(spreads, 50, 24, 5);
    const join = async () => {
      const index = await hnswIndex({ lib });
      await index.add(rowsOf(points, [...Array(700).keys()]));
      await index.search(rowsOf(points, [3]), { k: 1 });
      await index.add(
        rowsOf(
          points,
          [...Array(300).keys()].map((row) => 700 + row),
        ),
      );
      return index.selfJoin!({ k: 10 });
    };
    const joined = await join();
    expect(joined.recall!.value).toBeGreaterThan(0.98);
    expect(await join()).toEqual(joined);
    // Distances are canonical: a neighbor has exactly the distance that the exact index returns.
    const exact = exactIndex();
    await exact.add(points);
    const all = await exact.search(rowsOf(points, [0]), { k: 1000 });
    const distances = new Map(Array.from(all.ids, (id, at) => [id, all.distances[at]]));
    for (let rank = 0; rank < 10; rank++) expect(joined.distances[rank]).toBe(distances.get(joined.ids[rank]!));
  });

  test('warns if it misses many neighbors', async () => {
    const warnings: string[] = [];
    const onEvent = (event: WorkEvent) => event.type === 'work-warning' && warnings.push(event.message);
    const index = await hnswIndex({ lib, connectivity: 2, expansionAdd: 2, expansionSearch: 1 });
    const { recall } = await selfJoin(index, normalPoints(1500, 64, 6), { k: 3, onEvent });
    expect(recall!.value).toBeLessThan(0.95);
    expect(warnings[0]).toContain(`${(100 * recall!.value).toFixed(1)} % of the true neighbors, measured on 1000 rows`);
  });

  test('refuses options out of range', async () => {
    for (const options of [
      { connectivity: 1 },
      { expansionAdd: 0 },
      { expansionSearch: 1.5 },
      { threads: -1 },
      { blockBytes: 0 },
    ]) {
      await expect(hnswIndex({ lib, ...options })).rejects.toBeInstanceOf(InvalidArgumentError);
    }
    await expect(hnswIndex({ lib, dtype: 'i8' as 'int8' })).rejects.toThrow('dtype must be one of');
  });
});

test('an absent library is reported', async () => {
  for (const [name, index] of Object.entries({ 'faiss-node': faissIndex, usearch: hnswIndex })) {
    if (!isInstalled(name)) await expect(index()).rejects.toBeInstanceOf(MissingDependencyError);
  }
});
