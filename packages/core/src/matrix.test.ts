import { expect, test } from 'vitest';
import { InvalidArgumentError, NotFiniteError, ShapeError } from './errors.js';
import { matrix } from './matrix.js';

test('takes one array per row, plain or typed', () => {
  const expected = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 3, cols: 2 };
  expect(
    matrix([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
  ).toEqual(expected);
  expect(matrix([Float64Array.of(1, 2), Int8Array.of(3, 4), [5, 6]])).toEqual(expected);
  expect(
    matrix(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      2,
    ),
  ).toEqual(expected);
});

test('takes all numbers in one array with the number of columns', () => {
  const expected = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 2, cols: 3 };
  expect(matrix(Float64Array.of(1, 2, 3, 4, 5, 6), 3)).toEqual(expected);
  expect(matrix([1, 2, 3, 4, 5, 6], 3)).toEqual(expected);
  expect(() => matrix(Float64Array.of(1, 2) as never)).toThrow(InvalidArgumentError);
  expect(() => matrix(new Float64Array(7), 3)).toThrow(new ShapeError('7 numbers do not fill rows of 3 columns'));
  expect(() => matrix(new Float64Array(7), 0)).toThrow(ShapeError);
  expect(() => matrix(new Float64Array(6), 1.5)).toThrow('cols must be an integer ≥ 0, got 1.5');
});

test('copies', () => {
  const numbers = Float32Array.of(1, 2);
  const { data } = matrix(numbers, 2);
  numbers[0] = 9;
  expect(data[0]).toBe(1);
});

test('no rows and no columns are possible', () => {
  expect(matrix([])).toEqual({ data: new Float32Array(0), rows: 0, cols: 0 });
  expect(matrix([], 3)).toEqual({ data: new Float32Array(0), rows: 0, cols: 3 });
  expect(matrix([[], []])).toEqual({ data: new Float32Array(0), rows: 2, cols: 0 });
});

test('the error for rows of different lengths names the first such row', () => {
  expect(() => matrix([[1, 2], [3, 4], [5]])).toThrow(
    new ShapeError('row 2 has 1 numbers, expected 2; give every row the same length'),
  );
  expect(() => matrix([[1, 2]], 3)).toThrow('row 0 has 2 numbers, expected 3');
  expect(() => matrix([[1], null as unknown as number[]])).toThrow('row 1 has undefined numbers');
});

test('the error for a value that is not a finite float32 names row and column', () => {
  for (const value of [Number.NaN, -Infinity, 1e39, null, undefined, '1', 1n]) {
    expect(() =>
      matrix([
        [1, 2],
        [3, value as number],
      ]),
    ).toThrow(NotFiniteError);
    expect(() => matrix([1, 2, 3, value as number], 2)).toThrow('expected a finite number in row 1, column 1, got');
  }
  expect(() => matrix([['1' as unknown as number]])).toThrow('got "1"');
});

test('rejects what is not an array', () => {
  const given = (rows: unknown) => () => matrix(rows as number[][]);
  expect(given(undefined)).toThrow('matrix needs an array of rows, or of numbers, got undefined');
  expect(given(Promise.resolve([[1]]))).toThrow('matrix needs an array of rows, or of numbers, got a promise');
});
