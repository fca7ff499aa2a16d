import { checkOptions, type WeightUpdate } from '@rarefy/core';
import { from, type ObservableInput, type Subscription } from 'rxjs';
import { checkSource, checkUpdatable, reportsOf, type UpdateReports, updateReportNames } from './update-reports.js';
import type { WeightedSampler } from './weighted.js';

export type FollowUpdatesOptions = UpdateReports;

/**
 * Applies weight updates to a sampler as they arrive, until the source ends or you unsubscribe. An update whose version is not
 * above the version in force is skipped and reported. An update that the sampler refuses changes nothing and does not end the
 * stream. If the source fails, the stream ends and the sampler keeps its weights.
 *
 * One sampler follows one source: two would overwrite each other's weights, and skip each other's versions. Join several with
 * `combineUpdates`.
 * @param source an observable, promise, iterable or async iterable of updates
 * @throws InvalidArgumentError if an option is unknown, `sampler` cannot be updated, or `source` is none.
 */
export function followUpdates(
  sampler: Pick<WeightedSampler, 'update' | 'weightsVersion'>,
  source: ObservableInput<WeightUpdate>,
  options: FollowUpdatesOptions = {},
): Subscription {
  checkOptions(options, updateReportNames, 'followUpdates');
  checkUpdatable(sampler, 'followUpdates(sampler, source)');
  checkSource(source, 'the source of followUpdates');
  const { refused, late } = reportsOf('follow-updates', options);
  return from(source).subscribe({
    next(update) {
      try {
        if (update?.version <= sampler.weightsVersion) late(update.version, sampler.weightsVersion);
        else sampler.update(update);
      } catch (error) {
        refused(error);
      }
    },
    error: refused,
  });
}
