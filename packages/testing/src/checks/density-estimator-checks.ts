import type { DensityEstimator } from '@rarefy/core';
import type { Check, Subject } from '../check.js';
import { componentChecks } from '../component-checks.js';
import { densityFitChecks } from './density-fit-checks.js';
import { densityLawChecks } from './density-law-checks.js';

/** What `densityEstimatorChecks` takes beside the estimator, which must be good for 100 rows of length 1. */
export interface DensitySubject extends Subject<DensityEstimator> {
  /** The power that densities grow with when all points are multiplied: -1 where density is 1 / distance. */
  readonly scalePower?: number;
  /**
   * Whether a fit takes parameters from the points, such as a bandwidth or clusters. One row less then moves them, so a row among
   * all has not the density that a fit of the others gives it.
   */
  readonly adapts?: boolean;
}

/** What every density estimator does. `create` gives estimators with the same options. */
export function densityEstimatorChecks(subject: DensitySubject): Check[] {
  return componentChecks('density-estimator', subject, [...densityLawChecks(subject), ...densityFitChecks()]);
}
