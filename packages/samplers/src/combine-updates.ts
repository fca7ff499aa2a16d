import { checkInteger, checkOptions, described, InvalidArgumentError, type WeightUpdate } from '@rarefy/core';
import { defer, from, merge, mergeMap, type Observable, type ObservableInput } from 'rxjs';
import { checkedWeight, checkWeightList } from './structures/checks.js';
import { checkSource, reportsOf, type UpdateReports, updateReportNames } from './update-reports.js';

/** One of several sources of weights for the same positions. */
export interface UpdateSource {
  /** Updates of this source's own weights, whose versions grow within this source. */
  readonly updates: ObservableInput<WeightUpdate>;
  /** This source's weights before its first update, one per position, finite and ≥ 0; copied. Default: 1 at every position. */
  readonly weights?: ArrayLike<number>;
}

export interface CombineUpdatesOptions extends UpdateReports {
  /**
   * The first combined update has version `after` + 1, the next one `after` + 2 and so on. Default 0. When a run resumes, give the
   * restored `sampler.weightsVersion`, and each source the weights that it had.
   */
  readonly after?: number;
}

/**
 * Joins several sources of weights into one stream for `followUpdates`: the weight of a position is the product of the weights
 * that the sources gave it last. So the order in which different sources report does not matter, and a source that says nothing
 * about a position leaves it alone. For density and rewards on one sampler:
 *
 * ```ts
 * const sampler = await densityAwareSampler(prompts, { embedder, seed: 7 });
 * const updates = combineUpdates({
 *   density: { updates: densityUpdates(policies, { sampler, embedder: embedderOf }), weights: sampler.weights() },
 *   rewards: { updates: rewards }, // weights that start at 1: below 1 for prompts that are solved
 * });
 * const subscription = followUpdates(sampler, updates);
 * ```
 *
 * Every update of a source becomes one update of the same positions, with the next version. An update that is late within its
 * source or invalid is reported and skipped, and the other ones go on. The stream ends when all sources have ended, and fails if
 * one fails. Each subscription follows the sources anew.
 * @param sources by name; names occur in messages
 * @throws InvalidArgumentError if there are no sources, one is not `{ updates, weights? }`, or an option is unknown or out of
 * range; InvalidWeightsError naming the first invalid weight of a source.
 */
export function combineUpdates(
  sources: Readonly<Record<string, UpdateSource>>,
  options: CombineUpdatesOptions = {},
): Observable<WeightUpdate> {
  checkOptions(options, ['after', ...updateReportNames], 'combineUpdates');
  const { after = 0 } = options;
  checkInteger('after', after, 0);
  const { refused, late } = reportsOf('combine-updates', options);
  if (Object(sources) !== sources) {
    throw new InvalidArgumentError(
      `combineUpdates needs sources by name, such as { density: { updates } }, got ${described(sources)}`,
    );
  }
  const given = Object.entries(sources).map(([name, source]) => {
    const where = `source ${JSON.stringify(name)} of combineUpdates`;
    const isBare = !('updates' in Object(source)); // a stream where { updates: stream } belongs
    if (isBare) throw new InvalidArgumentError(`${where} must be { updates, weights? }, got ${described(source)}`);
    checkOptions(source, ['updates', 'weights'] satisfies (keyof UpdateSource)[], where);
    const { updates, weights = [] } = source;
    checkSource(updates, `updates of ${where}`);
    checkWeightList(weights);
    return { name, updates, initial: Float64Array.from(weights, checkedWeight) };
  });
  if (given.length === 0) throw new InvalidArgumentError('combineUpdates needs at least one source of updates');

  return defer(() => {
    let version = after;
    const factors = given.map(({ initial }) => ownWeights(initial));
    const combined = ({ positions }: WeightUpdate): WeightUpdate => ({
      version: ++version,
      positions: Int32Array.from(positions),
      weights: Float64Array.from(positions, (position) =>
        factors.reduce((product, factor) => product * factor.at(position), 1),
      ),
    });
    return merge(
      ...given.map(({ name, updates }, index) => {
        let own = Number.NEGATIVE_INFINITY; // version of the last update of this source
        return from(updates).pipe(
          mergeMap((update) => {
            try {
              if (update.version <= own) {
                late(update.version, own, ` of ${name}`);
                return [];
              }
              checkUpdate(update, name);
              own = update.version;
              for (const [row, position] of update.positions.entries())
                factors[index]!.set(position, update.weights[row]!);
              return [combined(update)];
            } catch (error) {
              refused(error);
              return [];
            }
          }),
        );
      }),
    );
  });
}

/** The weights of one source: those that it began with, and the ones that it set later. */
function ownWeights(initial: Float64Array) {
  const early = initial.slice();
  const later = new Map<number, number>(); // of positions beyond the initial ones
  return {
    at: (position: number) => (position < early.length ? early[position]! : (later.get(position) ?? 1)),
    set(position: number, weight: number) {
      if (position < early.length) early[position] = weight;
      else later.set(position, weight);
    },
  };
}

/** @throws InvalidArgumentError or InvalidWeightsError if the update is not one. */
function checkUpdate({ version, positions, weights }: WeightUpdate, name: string): void {
  checkInteger(`version of an update of ${name}`, version, Number.MIN_SAFE_INTEGER);
  if (positions.length !== weights.length) {
    throw new InvalidArgumentError(
      `an update of ${name} has ${positions.length} positions and ${weights.length} weights; give one weight per position`,
    );
  }
  for (const [row, position] of positions.entries()) {
    checkInteger(`position of an update of ${name}`, position, 0, 2 ** 31 - 1);
    checkedWeight(weights[row]!, position);
  }
}
