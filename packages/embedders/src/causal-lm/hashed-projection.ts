import { counterRandom } from '@rarefy/core';

/** Places that each entry goes to, one in every part of the output. */
const parts = 4;

/**
 * A random map of `inputs` numbers to `outputs` (a multiple of 4) that nearly keeps lengths: each entry is added to one place of
 * every quarter of the output, with a random sign, halved. The squared length of the image is that of the row on average, with a
 * relative deviation of about √(2 / outputs) for rows whose length is spread over many entries.
 * Source: Kane and Nelson, "Sparser Johnson-Lindenstrauss transforms", J. ACM 61, 2014.
 */
export function hashedProjection(inputs: number, outputs: number, seed: number): (row: Float32Array) => Float32Array {
  const random = counterRandom(seed);
  const part = outputs / parts;
  // Place, and below zero (as -1 - place) with a minus sign.
  const places = Int32Array.from({ length: inputs * parts }, (_, index) => {
    const uniform = random.uniform(index);
    const place = Math.floor(uniform * 2 * part);
    const target = (index % parts) * part + (place >> 1);
    return place & 1 ? -1 - target : target;
  });
  const sums = new Float64Array(outputs);
  return (row) => {
    sums.fill(0);
    for (let column = 0, at = 0; column < inputs; column++) {
      const value = row[column]!;
      for (let end = at + parts; at < end; at++) {
        const place = places[at]!;
        if (place < 0) sums[-1 - place]! -= value;
        else sums[place]! += value;
      }
    }
    return Float32Array.from(sums, (sum) => sum / Math.sqrt(parts));
  };
}
