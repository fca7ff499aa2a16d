import { checkFinite, InvalidArgumentError } from '@rarefy/core';

/**
 * The rarest rows: positions of the ceil(share * rows) lowest densities, rarest first, ties by position.
 * @param share in [0, 1]
 * @throws InvalidArgumentError if `share` is outside [0, 1]; NotFiniteError naming the first density that is not finite.
 */
export function rarestPositions(density: Float64Array, share: number): Int32Array {
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError(`share must be in [0, 1], got ${share}`);
  checkFinite(density, 'density');
  // 0.07 * 100 is 7.000000000000001 in float64; rounding to 12 digits removes that for any number of rows.
  return lowestPositions(density, Math.ceil(Number((share * density.length).toPrecision(12))));
}

/**
 * Positions of the `count` lowest values, lowest first, ties by position. Takes one sort of all numbers and one of `count`
 * positions.
 * @param values without NaN
 * @param count integer in [0, values.length]
 */
export function lowestPositions(values: Float64Array, count: number): Int32Array {
  const positions = new Int32Array(count);
  if (count === 0) return positions;
  const bound = values.slice().sort()[count - 1]!;
  let ties = count - values.reduce((below, value) => below + (value < bound ? 1 : 0), 0);
  let filled = 0;
  for (let position = 0; filled < count; position++) {
    if (values[position]! < bound || (values[position] === bound && ties-- > 0)) positions[filled++] = position;
  }
  return positions.sort((a, b) => values[a]! - values[b]! || a - b);
}
