import type { DensityEstimator } from '@rarefy/core';

/** An estimator that fits another to the same points, too, and keeps what that one finds. */
export interface SideBySide extends DensityEstimator {
  /** Of the other; undefined before a fit. */
  readonly otherDensity: Float64Array | undefined;
}

export function sideBySide(estimator: DensityEstimator, other: DensityEstimator): SideBySide {
  let otherDensity: Float64Array | undefined;
  const { fitRows } = estimator;
  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `${estimator.fingerprint},beside=${other.fingerprint}`,
    capabilities: { outOfSample: false, online: false },
    get otherDensity() {
      return otherDensity;
    },
    async fit(points, options) {
      otherDensity = await other.fit(points, options);
      return estimator.fit(points, options);
    },
    ...(fitRows &&
      other.fitRows && {
        async fitRows(points, options) {
          otherDensity = await other.fitRows!(points, options);
          return fitRows(points, options);
        },
      }),
  };
}
