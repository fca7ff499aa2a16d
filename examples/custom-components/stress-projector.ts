import { checkMatrix, counterRandom, InvalidArgumentError, type Projector, timeSlices } from '@rarefy/core';

export interface StressOptions {
  readonly seed?: number;
  /** Layouts to yield; default 50. */
  readonly rounds?: number;
}

/**
 * Multidimensional scaling: moves points until their distances in the layout are close to their distances in `points`. Each round
 * compares all pairs, so it is for thousands of points. Source: the SMACOF algorithm of De Leeuw (1977).
 */
export function stressProjector({ seed = 0, rounds = 50 }: StressOptions = {}): Projector {
  return {
    specificationVersion: 'v1',
    kind: 'projector',
    fingerprint: `stress:seed=${seed},rounds=${rounds}`,
    capabilities: { deterministic: true },
    async *project(points, { dimensions, signal }) {
      const slices = timeSlices(signal);
      if (dimensions !== 2 && dimensions !== 3) throw new InvalidArgumentError(`no layout in ${dimensions} dimensions`);
      checkMatrix(points, 'points');
      const { data, rows, cols } = points;
      const random = counterRandom(seed);
      let layout = Float32Array.from({ length: rows * dimensions }, (_, index) => random.uniform(index) - 0.5);
      for (let round = 0; round < rounds; round++) {
        const next = new Float32Array(layout.length); // a new array each time: the caller owns the last one
        for (let row = 0; row < rows; row++) {
          if (slices.due()) await slices.pause();
          for (let other = 0; other < rows; other++) {
            const drawn = distance(layout, row, other, dimensions);
            const pull = drawn > 0 ? distance(data, row, other, cols) / drawn / rows : 0;
            for (let axis = 0; axis < dimensions; axis++) {
              const from = layout[other * dimensions + axis]!;
              next[row * dimensions + axis]! += pull * (layout[row * dimensions + axis]! - from);
            }
          }
        }
        layout = next;
        yield { data: layout.slice(), rows, cols: dimensions };
        signal?.throwIfAborted();
      }
    },
  };
}

function distance(data: Float32Array, row: number, other: number, cols: number): number {
  let squares = 0;
  for (let column = 0; column < cols; column++)
    squares += (data[row * cols + column]! - data[other * cols + column]!) ** 2;
  return Math.sqrt(squares);
}
