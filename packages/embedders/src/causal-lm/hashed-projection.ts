import { counterRandom } from '@rarefy/core';

/** Output columns that each input entry is added to: one in each quarter of the output. */
const parts = 4;

/**
 * A random linear map of `inputs` numbers to `outputs` numbers (a multiple of 4) that nearly keeps lengths: it adds each entry,
 * with a random sign and divided by 2, to one random column in each quarter of the output. The squared length of the image equals
 * that of the row on average; for a row whose length is spread over many entries its relative standard deviation is about √(2 /
 * outputs).
 * Source: Kane and Nelson, "Sparser Johnson-Lindenstrauss transforms", J. ACM 61, 2014.
 */
export function hashedProjection(inputs: number, outputs: number, seed: number): (row: Float32Array) => Float32Array {
  const random = counterRandom(seed);
  const part = outputs / parts;
  // Output column c with a plus sign is stored as c, with a minus sign as -1 - c.
  const targets = Int32Array.from({ length: inputs * parts }, (_, index) => {
    const drawn = Math.floor(random.uniform(index) * 2 * part);
    const column = (index % parts) * part + (drawn >> 1);
    return drawn & 1 ? -1 - column : column;
  });
  const sums = new Float64Array(outputs);
  return (row) => {
    sums.fill(0);
    for (let entry = 0, index = 0; entry < inputs; entry++) {
      const value = row[entry]!;
      for (let end = index + parts; index < end; index++) {
        const target = targets[index]!;
        if (target < 0) sums[-1 - target]! -= value;
        else sums[target]! += value;
      }
    }
    return Float32Array.from(sums, (sum) => sum / Math.sqrt(parts));
  };
}
