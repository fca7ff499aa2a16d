import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { KeyValueCache } from './key-value-cache.js';
import type { LowRankUpdates } from './low-rank.js';

export interface ForwardOptions {
  /** int32 [batch, T]. Default: counts real tokens from 0, so that a padded row gives the same numbers as the row alone. */
  readonly positions?: Tensor2D;
  /** Keys and values of earlier tokens. The forward pass reads them and appends its own. */
  readonly cache?: KeyValueCache;
  /** Updates to apply to linear layers. Default: none. */
  readonly updates?: LowRankUpdates;
  /** Whether a backward pass computes the activations of each layer again, in place of keeping them. Default: false. */
  readonly recompute?: boolean;
}
