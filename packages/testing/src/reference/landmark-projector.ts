import { checkMatrix, InvalidArgumentError, type Matrix, type Projector } from '@rarefy/core';
import { naiveDistance } from './naive-index.js';

/**
 * Uses the Euclidean distances of each row to 2 or 3 landmarks as its coordinates, so near rows stay near. The landmarks are rows
 * that are far from each other. Yields the final layout twice, like a projector that works in rounds.
 */
export function landmarkProjector(): Projector {
  return {
    specificationVersion: 'v1',
    kind: 'projector',
    fingerprint: 'landmark-projector',
    capabilities: { deterministic: true },
    async *project(points, { dimensions, signal }) {
      signal?.throwIfAborted();
      if (dimensions !== 2 && dimensions !== 3) {
        throw new InvalidArgumentError(`dimensions must be 2 or 3, got ${dimensions}`);
      }
      checkMatrix(points, 'points');
      const layout = landmarkLayout(points, dimensions);
      yield { ...layout, data: layout.data.slice() };
      signal?.throwIfAborted();
      yield layout;
    },
  };
}

function landmarkLayout({ data, rows, cols }: Matrix, dimensions: number): Matrix {
  const rowAt = (row: number) => data.subarray(row * cols, (row + 1) * cols);
  const layout = { data: new Float32Array(rows * dimensions), rows, cols: dimensions };
  const nearest = new Float64Array(rows).fill(Infinity); // distance to the nearest landmark so far
  for (let axis = 0; axis < dimensions && rows > 0; axis++) {
    const landmark = nearest.indexOf(Math.max(...nearest));
    for (let row = 0; row < rows; row++) {
      const distance = naiveDistance('euclidean', rowAt(row), rowAt(landmark));
      layout.data[row * dimensions + axis] = distance;
      nearest[row] = Math.min(nearest[row]!, distance);
    }
  }
  return layout;
}
