/**
 * Statistics of experiments whose unit is the training run. Pure functions.
 *
 * The run is the unit everywhere: arms are assigned to runs, so a measure enters as one value per run. Prompts and answers within
 * a run are not independent of each other; treating them as units finds effects that are differences between seeds.
 *
 * - **Is there a difference?** {@link permutationTest}; {@link signFlipTest} if runs are paired and {@link pairingCorrelation}
 *   shows that pairs help; {@link holm} for several measures.
 * - **How large is it?** {@link effectSize}, {@link stratifiedBootstrap}.
 * - **What could have been found?** {@link minimumDetectableEffect}, {@link runsNeeded}.
 * - **What to buy more of?** {@link varianceComponents}, {@link runMeanVariance}.
 */
export {
  type Bootstrap,
  type BootstrapOptions,
  stratifiedBootstrap,
} from './bootstrap.js';
export { normalQuantile, tQuantile } from './distributions.js';
export { type EffectSize, type EffectSizeOptions, effectSize, type Interval, meanDifference } from './effect-size.js';
export { holm } from './holm.js';
export { checkOneOf, checkOpenUnit, checkValues, largestOf, meanOf, squaresOf, sumOf } from './numbers.js';
export {
  type Alternative,
  pairingCorrelation,
  permutationTest,
  type ResamplingTest,
  type ResamplingTestOptions,
  signFlipTest,
} from './permutation.js';
export {
  type DetectableOptions,
  minimumDetectableEffect,
  type PowerOptions,
  type RunsOptions,
  runsNeeded,
} from './power.js';
export {
  runMeanVariance,
  type VarianceComponent,
  type VarianceComponents,
  varianceComponents,
} from './variance-components.js';
