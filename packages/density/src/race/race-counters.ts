/** Rows of 2^hashes counters each, and how points fall into them: one counter a row. */
export interface CounterShape {
  readonly rows: number;
  readonly hashes: number;
}

/** Adds `sign` at the counters of each point. @param codes points x rows */
export function countCodes(
  counters: Int32Array,
  codes: Uint16Array,
  sign: 1 | -1,
  { rows, hashes }: CounterShape,
): void {
  for (let at = 0, row = 0; at < codes.length; at++) {
    const counter = (row << hashes) + codes[at]!;
    counters[counter] = counters[counter]! + sign;
    if (++row === rows) row = 0;
  }
}

/** Mean over the rows of the counter of a point, whose hashes begin at `start`. */
export function meanCount(
  counters: Int32Array,
  codes: Uint16Array,
  start: number,
  { rows, hashes }: CounterShape,
): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += counters[(row << hashes) + codes[start + row]!]!;
  return sum / rows;
}
