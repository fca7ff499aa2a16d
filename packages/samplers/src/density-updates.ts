import {
  type CallOptions,
  checkWeighting,
  collect,
  type DensityEstimator,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  sleep,
  type Weighting,
  type WeightUpdate,
} from '@rarefy/core';
import { inverseDensity, knnDistance, weighPrompts } from '@rarefy/density';
import { from, Observable, type ObservableInput } from 'rxjs';

export interface DensityUpdatesOptions<Policy, Item> extends Pick<CallOptions, 'onEvent'> {
  /** All prompts, in the order of the sampler's positions. */
  readonly prompts: readonly Item[];
  /** Makes the embedder of a policy; it is disposed after the refresh. */
  readonly embedder: (policy: Policy) => Embedder<Item> | Promise<Embedder<Item>>;
  /** Default `knnDistance({ k: 10 })`. */
  readonly density?: DensityEstimator;
  /** From density to weight. Default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** Prompts per slice. Default 32. */
  readonly sliceSize?: number;
  /** Maximum share of the time that refreshing may take, in (0, 1]. Default 0.05. */
  readonly timeShare?: number;
  /** Version of the update of a policy. Default: its number in the stream, starting at 1. */
  readonly version?: (policy: Policy, number: number) => number;
}

/**
 * Weights that follow a policy while it trains. For each policy, all prompts are embedded again in slices, with pauses so that
 * refreshing takes at most `timeShare` of the time, and then one update of all weights is emitted. Embeddings of different
 * policies lie in different spaces and are never mixed, so there are no partial updates.
 *
 * A refresh always runs to its end. Of the policies that arrive meanwhile, the newest is next and the others are skipped. The
 * stream ends after the last refresh once the source has ended, and fails if the source, an embedder, the estimator or the
 * weighting fails. Unsubscribing stops the work before the next slice.
 * @throws InvalidArgumentError if `timeShare` is out of range, or `weighting` is a weight transform.
 */
export function densityUpdates<Policy, Item>(
  policies: ObservableInput<Policy>,
  options: DensityUpdatesOptions<Policy, Item>,
): Observable<WeightUpdate> {
  const { version = (_, number) => number, timeShare = 0.05, weighting = inverseDensity() } = options;
  if (!(timeShare > 0 && timeShare <= 1)) {
    throw new InvalidArgumentError(`timeShare must be in (0, 1], got ${timeShare}`);
  }
  checkWeighting(weighting);
  return new Observable((subscriber) => {
    const controller = new AbortController();
    let waiting: { readonly policy: Policy; readonly version: number } | undefined;
    let received = 0;
    let isRefreshing = false;
    let hasEnded = false;

    const refreshWaiting = async () => {
      isRefreshing = true;
      try {
        while (waiting && !subscriber.closed) {
          const next = waiting;
          waiting = undefined;
          const weights = await refresh(next.policy, options, timeShare, controller.signal);
          subscriber.next({ version: next.version, positions: Int32Array.from(weights.keys()), weights });
        }
        isRefreshing = false;
        if (hasEnded) subscriber.complete();
      } catch (error) {
        subscriber.error(error); // ignored after unsubscribing
      }
    };
    const source = from(policies).subscribe({
      next(policy) {
        try {
          waiting = { policy, version: version(policy, ++received) };
        } catch (error) {
          subscriber.error(error);
        }
        if (!isRefreshing) void refreshWaiting();
      },
      error: (error) => subscriber.error(error),
      complete() {
        hasEnded = true;
        if (!isRefreshing) subscriber.complete();
      },
    });
    return () => {
      controller.abort();
      source.unsubscribe();
    };
  });
}

/** The weights of all prompts under a policy. */
async function refresh<Policy, Item>(
  policy: Policy,
  {
    prompts,
    embedder: embedderOf,
    density: estimator = knnDistance(),
    weighting = inverseDensity(),
    sliceSize = 32,
    onEvent,
  }: DensityUpdatesOptions<Policy, Item>,
  timeShare: number,
  signal: AbortSignal,
): Promise<Float64Array> {
  let resumed = performance.now();
  const pause = async () => {
    const worked = performance.now() - resumed;
    await sleep(worked * (1 / timeShare - 1), signal);
    resumed = performance.now();
  };
  await using embedder = await embedderOf(policy);
  async function* slices() {
    const work = { task: 'refresh density', total: prompts.length, batchSize: sliceSize, signal, onEvent };
    for await (const part of embedStream(embedder, prompts, work)) {
      yield part;
      await pause();
    }
  }
  const embeddings = await collect(slices());
  const { weights } = await weighPrompts(embeddings, { estimator, weighting, signal, onEvent });
  await pause(); // before the update is emitted, so that successive refreshes keep their share too
  return weights;
}
