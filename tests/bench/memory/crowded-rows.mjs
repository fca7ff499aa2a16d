import { counterRandom } from '@rarefy/core';

const latent = 24;
const rowsACorner = 500;

/**
 * Unit rows distributed like embeddings: clusters of 500 rows, each around its own point of 24 dimensions, rotated into `cols`
 * columns. Generated when they are read; row i depends only on the seed and i.
 */
export function crowdedRows(rows, cols, seed) {
  const random = counterRandom(seed);
  const [turn, centers, spread] = [random.fork(0), random.fork(1), random.fork(2)];
  const axes = Float64Array.from({ length: latent * cols }, (_, at) => turn.uniform(at) - 0.5);
  return {
    rows,
    cols,
    async read(start, end) {
      const data = new Float32Array((end - start) * cols);
      const point = new Float64Array(latent);
      const sums = new Float64Array(cols);
      for (let row = start; row < end; row++) {
        const corner = Math.floor(row / rowsACorner);
        for (let axis = 0; axis < latent; axis++) {
          const around = centers.uniform(corner * latent + axis) - 0.5;
          point[axis] = around + 0.5 * (spread.uniform(row * latent + axis) - 0.5);
        }
        sums.fill(0);
        let squares = 0;
        for (let axis = 0, at = 0; axis < latent; axis++) {
          const value = point[axis];
          for (let col = 0; col < cols; col++, at++) sums[col] += value * axes[at];
        }
        for (let col = 0; col < cols; col++) squares += sums[col] ** 2;
        const length = Math.sqrt(squares);
        for (let col = 0, at = (row - start) * cols; col < cols; col++, at++) data[at] = sums[col] / length;
      }
      return { data, rows: end - start, cols };
    },
  };
}
