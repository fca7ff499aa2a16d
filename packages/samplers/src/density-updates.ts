import {
  type CallOptions,
  collect,
  type DensityEstimator,
  type EmbeddedPart,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  type Weighting,
  type WeightUpdate,
} from '@rarefy/core';
import { inverseDensity, knnDistance } from '@rarefy/density';
import { from, Observable, type ObservableInput } from 'rxjs';

export interface DensityUpdatesOptions<Policy, Item> extends Pick<CallOptions, 'onEvent'> {
  /** All prompts, in the sampler's order. */
  readonly prompts: readonly Item[];
  /** Embedder of a policy; disposed after the refresh. */
  readonly embedder: (policy: Policy) => Embedder<Item> | Promise<Embedder<Item>>;
  /** Default `knnDistance({ k: 10 })`. */
  readonly density?: DensityEstimator;
  /** From density to weight; default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** Prompts embedded at a time; default 32. */
  readonly sliceSize?: number;
  /** Largest share of the time that refreshing may take, in (0, 1]; default 0.05. */
  readonly timeShare?: number;
  /** Version of the update that a policy leads to; default its place in the stream, from 1. */
  readonly version?: (policy: Policy, place: number) => number;
}

/**
 * Weights that follow a policy while it trains: for each policy, all prompts are embedded anew in slices, with pauses between
 * them so that refreshing takes at most its share of the time, and then one update of all weights is emitted. Embeddings of
 * different policies lie in different spaces and are never mixed, so there is no update in between.
 *
 * A refresh goes on to its end; of the policies that come meanwhile the newest is next and the others are left out. The stream
 * ends after the last refresh once the source has ended, and fails with what the source, an embedder, the density or the
 * weighting fails with. Unsubscribing stops the work before its next slice.
 */
export function densityUpdates<Policy, Item>(
  policies: ObservableInput<Policy>,
  options: DensityUpdatesOptions<Policy, Item>,
): Observable<WeightUpdate> {
  const { version = (_, place) => place, timeShare = 0.05 } = options;
  if (!(timeShare > 0 && timeShare <= 1))
    throw new InvalidArgumentError(`timeShare must be in (0, 1], got ${timeShare}`);
  return new Observable((subscriber) => {
    const controller = new AbortController();
    let waiting: { readonly policy: Policy; readonly version: number } | undefined;
    let place = 0;
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
        subscriber.error(error); // after an unsubscription nobody is told
      }
    };
    const source = from(policies).subscribe({
      next(policy) {
        try {
          waiting = { policy, version: version(policy, ++place) };
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

/** Weights of all prompts under a policy. */
async function refresh<Policy, Item>(
  policy: Policy,
  {
    prompts,
    embedder: embedderOf,
    density = knnDistance(),
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
  async function* slices(): AsyncGenerator<EmbeddedPart> {
    const task = 'refresh density';
    for await (const part of embedStream(embedder, prompts, {
      task,
      total: prompts.length,
      batchSize: sliceSize,
      signal,
      onEvent,
    })) {
      yield part;
      await pause();
    }
  }
  const embeddings = await collect(slices());
  const weights = weighting(await density.fit(embeddings, { signal, onEvent }));
  await pause(); // before the update is emitted, so that refreshes one after the other keep their share too
  return weights;
}

/** @throws the signal's reason when it aborts meanwhile. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', abort);
        resolve();
      },
      Math.min(milliseconds, 2 ** 31 - 1), // longer ones would end at once
    );
    signal.addEventListener('abort', abort, { once: true });
  });
}
