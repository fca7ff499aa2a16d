import {
  CorruptFileError,
  digest,
  InvalidArgumentError,
  type Matrix,
  ShapeError,
  StateMismatchError,
} from '@rarefy/core';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { kernelDensity, type RaceDensityOptions, raceDensity } from '../index.js';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const points = clusters([0.2, 0.5, 0.9], 40, 24, 6);
const part = (from: number, to: number) => rowsOf(points, range(from, to));
const small: RaceDensityOptions = { rows: 30, hashes: 3, seed: 5 };

async function sketchOf(given: Matrix, options: RaceDensityOptions = small) {
  const sketch = raceDensity(options);
  await sketch.update(given);
  return sketch;
}

/** Sparse rows, like hashed words. */
function sparse(rows: number, cols: number, seed: number): Matrix {
  const { data } = normalPoints(rows, cols, seed);
  return { data: data.map((value) => (value > 1.6 ? 1 : 0)), rows, cols };
}

describe('with 1,000 rows of counters the error against the exact kernel density is below 5 % for 95 % of the rows', () => {
  test.each([
    ['clusters', clusters([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], 100, 384, 1)],
    ['normal values', normalPoints(800, 64, 2)],
    ['few columns', normalPoints(800, 8, 3)],
    ['sparse rows', sparse(800, 256, 4)],
  ] as const)('%s', async (_, given) => {
    const exact = await kernelDensity({ kernel: 'angular' }).fit(given);
    const estimated = await raceDensity().fit(given);
    const errors = estimated.map((value, row) => Math.abs(value / exact[row]! - 1)).sort();
    expect(errors[Math.floor(0.95 * errors.length)]).toBeLessThan(0.05);
  });
});

test('the mean over seeds is the kernel density: no bias (six standard errors, 120 rows: false alarm below 3e-7)', async () => {
  const runs = casesOf(200, 2000);
  const exact = await kernelDensity({ kernel: 'angular', power: 3 }).fit(points);
  const sums = new Float64Array(points.rows);
  const squares = new Float64Array(points.rows);
  for (let seed = 0; seed < runs; seed++) {
    const density = await raceDensity({ ...small, seed }).fit(points);
    density.forEach((value, row) => {
      sums[row] = sums[row]! + value - exact[row]!;
      squares[row] = squares[row]! + (value - exact[row]!) ** 2;
    });
  }
  sums.forEach((sum, row) => {
    const error = Math.sqrt((squares[row]! / runs - (sum / runs) ** 2) / runs);
    expect(Math.abs(sum / runs)).toBeLessThan(6 * error);
    expect(error).toBeLessThan(0.02 * exact[row]!);
  });
});

describe('bit-exact', () => {
  test('merge(a, b) is the sketch of a and b, in any order and number of parts', async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(cuts, async (list) => {
        const bounds = [0, ...list.sort((a, b) => a - b), 120];
        const merged = raceDensity(small);
        for (let at = bounds.length - 2; at >= 0; at--) {
          merged.merge(await sketchOf(part(bounds[at]!, bounds[at + 1]!)));
        }
        expect(merged.size).toBe(120);
        expect(merged.toBytes()).toEqual((await sketchOf(points)).toBytes());
      }),
      { numRuns: casesOf(20, 200), seed: 1 },
    );
  });

  test('adding and then removing points restores the sketch, down to the empty one', async () => {
    const sketch = await sketchOf(part(0, 50));
    const before = sketch.toBytes();
    await sketch.update(part(20, 120));
    expect(sketch.toBytes()).not.toEqual(before);
    await sketch.remove(rowsOf(points, range(20, 120).reverse()));
    expect(sketch.toBytes()).toEqual(before);
    await sketch.remove(part(0, 50));
    expect(sketch.toBytes()).toEqual(raceDensity(small).toBytes());
    await expect(sketch.score(part(0, 1))).rejects.toThrow('call fit(points) or update(points) first');
  });

  test('leave-one-out equals removing the row and scoring it', async () => {
    const density = await raceDensity(small).fit(points);
    const sketch = await sketchOf(points);
    for (const row of [0, 17, 119]) {
      await sketch.remove(part(row, row + 1));
      expect((await sketch.score(part(row, row + 1)))[0]).toBe(density[row]);
      await sketch.update(part(row, row + 1));
    }
  });

  test('a window holds the last points, however they were added', async () => {
    const steps = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 2, max: 70 }), async (list, window) => {
        const windowed = raceDensity({ ...small, window });
        let end = 0;
        for (const step of list) {
          const next = Math.min(120, end + step);
          await windowed.update(part(end, next));
          end = next;
        }
        const start = Math.max(0, end - window);
        expect(windowed.size).toBe(end - start);
        expect(windowed.toBytes()).toEqual((await sketchOf(part(start, end), { ...small, window })).toBytes());
        if (end > start) {
          const plain = await sketchOf(part(start, end));
          expect(await windowed.score(points)).toEqual(await plain.score(points));
        }
      }),
      { numRuns: casesOf(30, 300), seed: 2 },
    );
  });

  test('one large update equals many small ones', async () => {
    const many = normalPoints(5000, 6, 3); // more than one block of rows
    for (const window of [undefined, 3000]) {
      const options = { ...small, ...(window && { window }) };
      const sketch = raceDensity(options);
      const parts = range(0, 10).map((at) => rowsOf(many, range(500 * at, 500 * at + 500)));
      await Promise.all(parts.map((rows) => sketch.update(rows))); // concurrent calls keep their order
      expect(sketch.toBytes()).toEqual((await sketchOf(many, options)).toBytes());
    }
  });

  test('bytes restore the sketch and its later results', async () => {
    for (const options of [small, { ...small, window: 45 }]) {
      const sketch = await sketchOf(part(0, 100), options);
      const restored = raceDensity(options);
      restored.restore(Uint8Array.of(9, ...sketch.toBytes()).subarray(1)); // at an odd offset of its buffer
      for (const each of [sketch, restored]) await each.update(part(100, 120));
      expect(restored.toBytes()).toEqual(sketch.toBytes());
      expect(restored.size).toBe(sketch.size);
      expect(await restored.score(points)).toEqual(await sketch.score(points));
    }
  });

  test('a sketch has the same digest on every platform', async () => {
    const grid = {
      data: Float32Array.from({ length: 600 }, (_, at) => ((at * 7919) % 1009) / 64 - 8),
      rows: 60,
      cols: 10,
    };
    expect(digest((await sketchOf(grid, { rows: 50, hashes: 6, seed: 2 ** 40 + 1 })).toBytes())).toBe(
      '6efb475ccd74cc27',
    );
  });
});

test('with a window, a fit scores rows outside the window as new points', async () => {
  const window = 30;
  const density = await raceDensity({ ...small, window }).fit(points);
  const inside = await raceDensity(small).fit(part(90, 120));
  expect(density.subarray(90)).toEqual(inside);
  expect(density.subarray(0, 90)).toEqual(await (await sketchOf(part(90, 120))).score(part(0, 90)));
});

test('rows read in blocks give the same densities as rows in memory', async () => {
  const wide = normalPoints(70, 2 ** 15, 1); // 32 rows per block
  const source = {
    rows: wide.rows,
    cols: wide.cols,
    read: async (start: number, end: number) => rowsOf(wide, range(start, end)),
  };
  for (const options of [
    { rows: 3, hashes: 2 },
    { rows: 3, hashes: 2, window: 50 },
  ]) {
    const [inBlocks, whole] = [raceDensity(options), raceDensity(options)];
    expect(await inBlocks.fitRows(source)).toEqual(await whole.fit(wide));
    expect(inBlocks.toBytes()).toEqual(whole.toBytes());
  }
});

test('an abort in the middle of an update or removal changes nothing; one of a fit leaves an empty sketch', async () => {
  const many = normalPoints(20_000, 64, 1);
  const sketch = await sketchOf(part(0, 50), { rows: 500, hashes: 4 });
  const before = sketch.toBytes();
  for (const work of ['update', 'remove', 'fit'] as const) {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 1);
    const given = { ...many, cols: 24, rows: 53_333, data: many.data.subarray(0, 53_333 * 24) };
    await expect(sketch[work](given, { signal: controller.signal })).rejects.toBe(reason);
    if (work === 'fit') expect(sketch.size).toBe(0);
    else expect(sketch.toBytes()).toEqual(before);
  }
});

describe('refuses', () => {
  test('options', () => {
    const refused = (options: RaceDensityOptions, message: string) => {
      expect(() => raceDensity(options)).toThrow(InvalidArgumentError);
      expect(() => raceDensity(options)).toThrow(message);
    };
    for (const rows of [0, 1.5, Number.NaN]) refused({ rows }, `rows must be an integer ≥ 1, got ${rows}`);
    for (const hashes of [0, 17, 2.5]) refused({ hashes }, `hashes must be an integer in [1, 16], got ${hashes}`);
    for (const window of [0, 1, 2.5]) refused({ window }, `window must be an integer ≥ 2, got ${window}`);
    refused({ seed: 0.5 }, 'seed must be a safe integer, got 0.5');
    refused({ rows: 10_000, hashes: 16 }, 'more than 2^28');
    refused({ window: 2_000_000 }, 'a window of 2000000 points x 1000 rows is more than 2^30 codes');
  });

  test('removing points that were not added, and changes nothing', async () => {
    const sketch = await sketchOf(part(0, 10));
    const before = sketch.toBytes();
    await expect(sketch.remove(part(5, 15))).rejects.toThrow('not all of these 10 points are in the sketch');
    await expect(sketch.remove(part(0, 11))).rejects.toThrow(InvalidArgumentError);
    expect(sketch.toBytes()).toEqual(before);
  });

  test('merging and removing with a window', async () => {
    const sketch = await sketchOf(part(0, 10), { ...small, window: 5 });
    await expect(sketch.remove(part(9, 10))).rejects.toThrow('a sketch with a window cannot remove points');
    expect(() => sketch.merge(sketch)).toThrow('a sketch with a window cannot merge');
  });

  test('points and sketches of other shapes or options', async () => {
    const sketch = await sketchOf(part(0, 10));
    await expect(sketch.update(normalPoints(3, 7, 1))).rejects.toThrow(ShapeError);
    await expect(sketch.remove(normalPoints(3, 7, 1))).rejects.toThrow(ShapeError);
    const other = await sketchOf(normalPoints(3, 7, 1));
    expect(() => sketch.merge(other)).toThrow('the points have 7 columns and the sketch has 24');
    expect(() => sketch.merge(raceDensity({ ...small, seed: 6 }))).toThrow(StateMismatchError);
    expect(() => sketch.restore(raceDensity({ ...small, hashes: 4 }).toBytes())).toThrow(StateMismatchError);
    await expect(raceDensity(small).fit(part(0, 1))).rejects.toThrow('at least 2 rows, got 1');
  });

  test('bytes that are damaged anywhere, or truncated', async () => {
    for (const options of [small, { ...small, window: 8 }]) {
      const sketch = await sketchOf(part(0, 10), options);
      const bytes = sketch.toBytes();
      for (let at = 0; at < bytes.length; at += casesOf(7, 1)) {
        const damaged = bytes.slice();
        damaged[at] = damaged[at]! ^ 1;
        const restored = raceDensity(options);
        try {
          restored.restore(damaged);
        } catch (error) {
          expect(CorruptFileError.isInstance(error) || StateMismatchError.isInstance(error)).toBe(true);
          continue;
        }
        expect(restored.toBytes()).toEqual(bytes); // a space of the header
      }
      for (const length of [0, 3, 4, 50, bytes.length - 1]) {
        expect(() => raceDensity(options).restore(bytes.subarray(0, length))).toThrow(CorruptFileError);
      }
      expect(() => raceDensity(options).restore(Uint8Array.of(...bytes, 0))).toThrow(CorruptFileError);
    }
  });
});
