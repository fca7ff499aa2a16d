import { InvalidArgumentError } from '@rarefy/core';

/** @throws InvalidArgumentError unless 0 <= start <= end <= rows, all whole. */
export function checkRows(start: number, end: number, rows: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= rows) return;
  throw new InvalidArgumentError(`rows ${start} to ${end} cannot be read: there are ${rows}, counted from 0`);
}
