import { InvalidArgumentError } from '../errors.js';
import type { Weighting, WeightTransform } from '../spec/weighting.js';

/**
 * @throws InvalidArgumentError if `weighting` is not a function, or is a weight transform, which takes weights and not densities.
 */
export function checkWeighting(weighting: Weighting): void {
  if (typeof weighting !== 'function') {
    throw new InvalidArgumentError(`a weighting must be a function from densities to weights, got ${weighting}`);
  }
  if ((weighting as Weighting | WeightTransform).kind !== 'weight-transform') return;
  throw new InvalidArgumentError(
    'a weight transform takes weights, not densities, and alone would favor crowded rows; give it a weighting to start from, such as compose(inverseDensity(), targetEss(0.5))',
  );
}
