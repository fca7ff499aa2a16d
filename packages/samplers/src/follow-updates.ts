import type { CallOptions, WeightUpdate } from '@rarefy/core';
import { from, type ObservableInput, type Subscription } from 'rxjs';
import type { WeightedSampler } from './weighted.js';

export interface FollowUpdatesOptions {
  /** Called for every update that the sampler refuses, and if the source fails. Default `console.warn`. */
  readonly onError?: (error: unknown) => void;
  /** Gets a `work-warning` with code `stale-update` for every update that comes too late. */
  readonly onEvent?: CallOptions['onEvent'];
}

/**
 * Applies weight updates to a sampler as they arrive, until the source ends or you unsubscribe. An update whose version is not
 * above the version in force is skipped. An update that the sampler refuses changes nothing and does not end the stream. If the
 * source fails, the stream ends and the sampler keeps its weights.
 * @param source an observable, promise, iterable or async iterable of updates
 */
export function followUpdates(
  sampler: Pick<WeightedSampler, 'update' | 'weightsVersion'>,
  source: ObservableInput<WeightUpdate>,
  options: FollowUpdatesOptions = {},
): Subscription {
  const { onError = (error) => console.warn('a weight update was refused or its source failed:', error), onEvent } =
    options;
  return from(source).subscribe({
    next(update) {
      try {
        if (!(update.version <= sampler.weightsVersion)) return sampler.update(update);
        const message = `update ${update.version} came after update ${sampler.weightsVersion} and was skipped`;
        onEvent?.({ type: 'work-warning', task: 'follow-updates', code: 'stale-update', message });
      } catch (error) {
        onError(error);
      }
    },
    error: onError,
  });
}
