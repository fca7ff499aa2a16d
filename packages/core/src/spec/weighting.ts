/**
 * Turns densities into weights: one finite number ≥ 0 per row, of any scale. Pure. Any function from densities to weights is a
 * weighting; a {@link WeightTransform} is not, because it would take densities for weights and so favor crowded rows.
 */
export interface Weighting {
  (density: Float64Array): Float64Array;
  readonly kind?: 'weighting';
}

/** Turns weights into weights, one per row, after a {@link Weighting} has made them. Pure. */
export interface WeightTransform {
  (weights: Float64Array): Float64Array;
  readonly kind: 'weight-transform';
}
