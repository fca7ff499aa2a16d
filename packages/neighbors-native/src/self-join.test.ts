import { InvalidArgumentError, type Metric, ShapeError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { type SelfJoinOptions, selfJoin } from './self-join.js';

const options: SelfJoinOptions = { k: 1, metric: 'euclidean', threads: 1 };

test('sizes that do not agree are refused with the values, before the addon is loaded', async () => {
  const refused = async (message: string, data: number, rows: number, cols: number) => {
    const joined = selfJoin(new Float32Array(data), rows, cols, options);
    await expect(joined).rejects.toBeInstanceOf(ShapeError);
    await expect(joined).rejects.toThrow(message);
  };
  await refused('data have 5 numbers, which is not 4 rows x 1 columns', 5, 4, 1);
  await refused('data have 1 numbers, which is not -1 rows', 1, -1, -1);
  await refused('data have 1 numbers, which is not 0.5 rows', 1, 0.5, 2);
  await refused('data have 0 numbers, which is not NaN rows', 0, Number.NaN, 1);
  await refused('data have 3 rows without columns', 0, 3, 0);
});

test('options out of range are refused with the value', async () => {
  const refused = async (message: string, changed: Partial<SelfJoinOptions>, rows = 4) => {
    const joined = selfJoin(new Float32Array(rows), rows, 1, { ...options, ...changed });
    await expect(joined).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(joined).rejects.toThrow(message);
  };
  for (const k of [0, -1, 1.5, Number.NaN]) await refused(`k must be an integer ≥ 1, got ${k}`, { k });
  await refused('k must be at most 2147483647 / rows, got 536870912 for 4 rows', { k: 2 ** 29 });
  await refused('k must be at most 2147483647 / rows', { k: 2 ** 32 }, 0);
  await refused('metric must be one of euclidean, cosine, dot, got l2', { metric: 'l2' as Metric });
  for (const threads of [0, 1.5, 1025]) await refused('threads must be an integer in [1, 1024]', { threads });
  const other = selfJoin([1, 2] as unknown as Float32Array, 2, 1, options);
  await expect(other).rejects.toThrow('data must be in a Float32Array, got Array');
});

test('a signal that is aborted already rejects with its reason', async () => {
  const reason = new Error('enough');
  const joined = selfJoin(new Float32Array(4), 4, 1, { ...options, signal: AbortSignal.abort(reason) });
  await expect(joined).rejects.toBe(reason);
});
