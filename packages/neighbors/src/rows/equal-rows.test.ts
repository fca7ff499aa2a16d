import { counterRandom, timeSlices } from '@rarefy/core';
import { expect, test } from 'vitest';
import { groupEqualRows } from './equal-rows.js';

const slices = timeSlices(undefined);
const matrix = (...rows: number[][]) => {
  const cols = rows[0]?.length ?? 1;
  return { data: Float32Array.from(rows.flat()), rows: rows.length, cols };
};

test('rows are equal if all numbers are: 0 equals -0', async () => {
  const points = matrix([0, 1], [-0, 1], [1, 0], [1, -0], [0, 1], [0, -1]);
  const { heads, next, distinct, find } = await groupEqualRows(points, slices);
  expect(Array.from(heads)).toEqual([0, 0, 2, 2, 0, 5]);
  expect(Array.from(next)).toEqual([1, 4, 3, -1, -1, -1]);
  expect(Array.from(distinct)).toEqual([0, 2, 5]);
  const others = matrix([1, 1], [-0, 1], [1, -0]);
  expect([0, 1, 2].map((row) => find(others, row))).toEqual([-1, 0, 2]);
});

test('groups are those of a comparison of all rows, and no rows have no group', async () => {
  const random = counterRandom(1);
  const rows = Array.from({ length: 700 }, (_, row) =>
    Array.from({ length: 3 }, (_, column) => Math.floor(4 * random.uniform(3 * row + column)) * -1 + 2),
  );
  const { heads, next } = await groupEqualRows(matrix(...rows), slices);
  const firstOf = (row: number) =>
    rows.findIndex((other) => other.every((value, column) => value === rows[row]![column]));
  expect(Array.from(heads)).toEqual(rows.map((_, row) => firstOf(row)));
  for (let row = 0; row < rows.length; row++) {
    if (next[row]! >= 0) expect(heads[next[row]!]).toBe(heads[row]);
    expect(next[row] === -1 || next[row]! > row).toBe(true);
  }
  const { distinct, find } = await groupEqualRows({ data: new Float32Array(0), rows: 0, cols: 2 }, slices);
  expect(distinct.length).toBe(0);
  expect(find(matrix([1, 2]), 0)).toBe(-1);
});
