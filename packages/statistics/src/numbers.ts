import { checkFinite, described, InvalidArgumentError, shown } from '@rarefy/core';

/** @throws InvalidArgumentError if `values` is not an array of at least `least` numbers; NotFiniteError for NaN or infinity. */
export function checkValues(name: string, values: ArrayLike<number>, least: number): void {
  if (!Array.isArray(values) && !ArrayBuffer.isView(values)) {
    throw new InvalidArgumentError(`${name} must be an array of numbers, got ${described(values)}`);
  }
  if (values.length < least) {
    throw new InvalidArgumentError(`${name} must have at least ${least} ${noun(least)}, got ${values.length}`);
  }
  checkFinite(values, `value of ${name}`);
}

function noun(count: number): string {
  return count === 1 ? 'value' : 'values';
}

/** @throws InvalidArgumentError if `value` is not strictly between 0 and 1. The message starts with `name`. */
export function checkOpenUnit(name: string, value: number): void {
  if (value > 0 && value < 1) return;
  throw new InvalidArgumentError(`${name} must be a number between 0 and 1, both excluded, got ${shown(value)}`);
}

/** @throws InvalidArgumentError if `value` is not one of `known`. The message starts with `name`. */
export function checkOneOf<Value extends string>(name: string, value: Value, known: readonly Value[]): void {
  if (known.includes(value)) return;
  const list = known.map((entry) => JSON.stringify(entry)).join(', ');
  throw new InvalidArgumentError(`${name} must be one of ${list}, got ${shown(value)}`);
}

export function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum;
}

export function meanOf(values: ArrayLike<number>): number {
  return sumOf(values) / values.length;
}

/** Sum of squared deviations from the mean. */
export function squaresOf(values: ArrayLike<number>): number {
  const mean = meanOf(values);
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index]! - mean) ** 2;
  return sum;
}

export function largestOf(values: ArrayLike<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index++) largest = Math.max(largest, values[index]!);
  return largest;
}
