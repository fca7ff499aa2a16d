import {
  checkOptions,
  described,
  InvalidArgumentError,
  InvalidWeightsError,
  NotFiniteError,
  shown,
  type Weighting,
} from '@rarefy/core';
import { maximum } from './weights.js';

export interface InverseDensityOptions {
  /** Larger values favor rare rows more; 0 is uniform, negative values favor crowded rows. Default 1. */
  readonly exponent?: number;
  /** Added to every density, which bounds the weight of a row of density 0. Default 0. */
  readonly epsilon?: number;
}

/**
 * Weight = (1 / (density + epsilon)) ^ exponent. If the largest weight is outside 2^±500, all are divided by it, so that any
 * exponent gives finite weights with the same ratios; a weight too small for float64 becomes 0.
 *
 * The weighting throws InvalidWeightsError for a density of 0 with epsilon 0 and exponent > 0, whose weight would be infinite.
 * @throws InvalidArgumentError if `exponent` is not finite, `epsilon` is not finite and ≥ 0, or an option is unknown.
 */
export function inverseDensity(options: InverseDensityOptions = {}): Weighting {
  if (ArrayBuffer.isView(options)) {
    throw new InvalidArgumentError('inverseDensity takes options and returns a weighting; call it: inverseDensity()');
  }
  checkOptions(options, ['exponent', 'epsilon'] satisfies (keyof InverseDensityOptions)[], 'inverseDensity');
  const { exponent = 1, epsilon = 0 } = options;
  if (!Number.isFinite(exponent)) throw new InvalidArgumentError(`exponent must be finite, got ${exponent}`);
  if (!(epsilon >= 0 && epsilon < Infinity)) {
    throw new InvalidArgumentError(`epsilon must be finite and ≥ 0, got ${epsilon}`);
  }
  return (density) => {
    checkDensity(density);
    const unbounded = exponent > 0 ? density.findIndex((value) => value + epsilon === 0) : -1;
    if (unbounded >= 0) {
      throw new InvalidWeightsError(
        `density 0 at position ${unbounded} has an infinite weight; add an epsilon to every density, such as 1e-3`,
      );
    }
    if (exponent === 0) return new Float64Array(density.length).fill(1);
    return weightsFromLogarithms(density.map((value) => -exponent * Math.log(value + epsilon)));
  };
}

/**
 * @throws NotFiniteError or InvalidArgumentError naming the first density that is not finite or is negative; InvalidArgumentError
 * if
 *   `density` is not an array.
 */
function checkDensity(density: Float64Array): void {
  if (!Array.isArray(density) && !ArrayBuffer.isView(density)) {
    const hint = described(density) === 'a promise' ? '; did you forget await?' : '';
    throw new InvalidArgumentError(
      `densities must be a Float64Array with one density per row, got ${shown(density)}${hint}`,
    );
  }
  const bad = density.findIndex((value) => !(value >= 0 && value < Infinity));
  if (bad < 0) return;
  if (!Number.isFinite(density[bad])) {
    throw new NotFiniteError(`density ${density[bad]} at position ${bad} must be finite`);
  }
  throw new InvalidArgumentError(`density ${density[bad]} at position ${bad} must be ≥ 0`);
}

/** Weights between 2^-500 and 2^500 can be summed and squared, and small ones beside them keep their digits. */
const plainLimit = Math.log(2 ** 500);

/**
 * exp of each logarithm. If the largest result is outside 2^±500, all are divided by it: only ratios matter to a draw.
 * -Infinity gives 0.
 */
function weightsFromLogarithms(logarithms: Float64Array): Float64Array {
  const largest = maximum(logarithms);
  const shift = Math.abs(largest) <= plainLimit || largest === Number.NEGATIVE_INFINITY ? 0 : largest;
  return logarithms.map((logarithm) => Math.exp(logarithm - shift));
}
