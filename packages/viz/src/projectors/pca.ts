import { checkMatrix, checkOptions, type Matrix, type Projector, startProgress } from '@rarefy/core';
import { principalDirections } from './principal-directions.js';
import { projectOptions } from './project-options.js';

/**
 * Principal component analysis: the 2 or 3 orthogonal directions of largest variance, largest first. The sign of each direction
 * makes its largest loading positive, so the layout is deterministic. An axis without variance is 0.
 *
 * Yields one layout and does not use a neighbor graph. `project` throws InvalidArgumentError if an option is unknown or wrong,
 * ShapeError if the points are not a valid matrix, and NotFiniteError if they contain NaN or infinity.
 * @param options none are known
 * @throws InvalidArgumentError if there are options.
 */
export function pca(options: Readonly<Record<string, never>> = {}): Projector {
  checkOptions(options, [], 'pca');
  return {
    specificationVersion: 'v1',
    kind: 'projector',
    fingerprint: 'pca',
    capabilities: { deterministic: true },
    async *project(points, options) {
      const { signal, onEvent, dimensions } = projectOptions(options, 'pca');
      signal?.throwIfAborted();
      checkMatrix(points, 'points');
      const { rows, cols } = points;
      const progress = startProgress('pca', rows, onEvent);
      const { mean, directions, converged } = await principalDirections(points, dimensions, options);
      if (!converged) {
        const message =
          'the principal directions did not converge: several variances are nearly equal, so the axes are arbitrary';
        onEvent?.({ type: 'work-warning', task: 'pca', code: 'not-converged', message });
      }
      const layout: Matrix = { data: new Float32Array(rows * dimensions), rows, cols: dimensions };
      directions.forEach((direction, axis) => {
        const sign = Math.sign(direction.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0));
        for (let row = 0; row < rows; row++) {
          let score = 0;
          for (let j = 0; j < cols; j++) score += (points.data[row * cols + j]! - mean[j]!) * direction[j]!;
          layout.data[row * dimensions + axis] = sign * score;
        }
      });
      progress.end();
      yield layout;
    },
  };
}
