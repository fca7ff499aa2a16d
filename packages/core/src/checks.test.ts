import { expect, test } from 'vitest';
import {
  checkFinite,
  checkInteger,
  checkMatrix,
  checkNumber,
  checkSeed,
  checkShape,
  checkWeighting,
  firstNotFinite,
} from './checks.js';
import { InvalidArgumentError, NotFiniteError, ShapeError } from './errors.js';
import type { Weighting, WeightTransform } from './spec/density.js';
import type { Matrix } from './spec/matrix.js';

test('rejects integers outside the range and values that are not safe integers, by name', () => {
  for (const value of [0, 1.5, Number.NaN, Infinity, 2 ** 53]) {
    expect(() => checkInteger('k', value, 1)).toThrow(
      new InvalidArgumentError(`k must be an integer ≥ 1, got ${value}`),
    );
  }
  expect(() => checkInteger('hashes', 17, 1, 16)).toThrow('hashes must be an integer in [1, 16], got 17');
  checkInteger('hashes', 16, 1, 16);
  checkInteger('epochs', 0, 0);
  expect(() => checkSeed(0.5)).toThrow('seed must be a safe integer, got 0.5');
  checkSeed(-(2 ** 53) + 1);
});

test('messages quote texts, and name other values that are no numbers by their kind', () => {
  const wrong: [value: unknown, text: string][] = [
    ['3', '"3"'],
    [undefined, 'undefined'],
    [null, 'null'],
    [[3], 'an array'],
    [{}, 'an object'],
    [() => 3, 'a function'],
    [3n, '3'],
  ];
  for (const [value, text] of wrong) {
    expect(() => checkInteger('steps', value as number, 1)).toThrow(`steps must be an integer ≥ 1, got ${text}`);
    expect(() => checkSeed(value as number)).toThrow(`seed must be a safe integer, got ${text}`);
    expect(() => checkNumber('beta', value as number, 0)).toThrow(`beta must be finite and ≥ 0, got ${text}`);
  }
  expect(() => checkFinite(['1'] as never, 'weight')).toThrow('weight "1" at position 0 must be finite');
  expect(() => checkNumber('epsilon', 1.5, 0, 1)).toThrow('epsilon must be a number in [0, 1], got 1.5');
  expect(() => checkNumber('beta', Number.NaN, 0)).toThrow('got NaN');
  checkNumber('epsilon', 1, 0, 1);
});

test('the error names the first NaN or infinity by position, or by row and column', () => {
  expect(firstNotFinite([1, 2])).toBe(-1);
  expect(firstNotFinite([Number.NaN, 2, Infinity], 1)).toBe(2);
  expect(firstNotFinite([1, Number.NaN], 0, 1)).toBe(-1);
  expect(() => checkFinite([1, Number.NaN], 'density')).toThrow(
    new NotFiniteError('density NaN at position 1 must be finite'),
  );
  const data = Float32Array.of(1, 2, 3, 4, Infinity, 6);
  expect(() => checkMatrix({ data, rows: 3, cols: 2 }, 'points')).toThrow(
    'points have Infinity in row 2, column 0; remove or correct that row',
  );
  expect(() => checkMatrix({ data, rows: 3, cols: 2 }, 'points', 10)).toThrow('in row 12, column 0');
});

test('rejects sizes that do not agree and arrays of another type', () => {
  const data = new Float32Array(6);
  for (const [rows, cols] of [
    [2, 2],
    [-2, -3],
    [1.5, 4],
    [Number.NaN, 0],
  ] as const) {
    expect(() => checkShape({ data, rows, cols }, 'points')).toThrow(ShapeError);
  }
  const doubles = new Float64Array(6) as unknown as Float32Array;
  expect(() => checkShape({ data: doubles, rows: 2, cols: 3 }, 'queries')).toThrow(
    'queries must be in a Float32Array, got Float64Array',
  );
  checkShape({ data: new Float32Array(0), rows: 0, cols: 3 }, 'points');
});

test.each([
  [[[1, 2]], 'got an array; matrix() of @rarefy/core makes one'],
  [undefined, 'got undefined; matrix()'],
  [new Float32Array(3), 'got Float32Array; matrix()'],
  [Promise.resolve(), 'got a promise; did you forget await?'],
])('rejects what is no matrix: %#', (given, message) => {
  const check = () => checkShape(given as unknown as Matrix, 'points');
  expect(check).toThrow(InvalidArgumentError);
  expect(check).toThrow(`points must be a matrix { data, rows, cols }, ${message}`);
});

test('a weight transform is no weighting, for the compiler and at run time', () => {
  const plain = (values: Float64Array) => values.map((value) => 1 / value);
  const transform: WeightTransform = Object.assign((weights: Float64Array) => weights, {
    kind: 'weight-transform',
  } as const);
  checkWeighting(plain);
  checkWeighting(Object.assign(plain, { kind: 'weighting' } as const));
  // @ts-expect-error a transform takes weights, not densities
  const refused: Weighting = transform;
  expect(() => checkWeighting(refused)).toThrow(InvalidArgumentError);
  expect(() => checkWeighting(refused)).toThrow('compose(inverseDensity(), targetEss(0.5))');
  // @ts-expect-error a plain function does not say what it takes
  const unmarked: WeightTransform = (weights: Float64Array) => weights;
  expect(unmarked.kind).toBeUndefined();
  expect(() => checkWeighting(undefined as unknown as Weighting)).toThrow('must be a function');
});

test('the error for a weighting that is none names its kind, not its source', () => {
  const given = [() => new Float64Array(1)] as unknown as Weighting;
  expect(() => checkWeighting(given)).toThrow('must be a function from densities to weights, got an array');
});
