import {
  type CallOptions,
  checkOptions,
  checkWeighting,
  collect,
  type DensityEstimator,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  type Matrix,
  StateMismatchError,
  sleep,
  type Weighting,
  type WeightUpdate,
} from '@rarefy/core';
import { inverseDensity, knnDistance, weighPrompts } from '@rarefy/density';
import { from, Observable, type ObservableInput } from 'rxjs';
import { type PromptItem, promptItems } from './prompt-items.js';

export interface DensityUpdatesOptions<Policy, Prompt> extends Pick<CallOptions, 'onEvent'> {
  /** All prompts, in the order of the sampler's positions: texts, records `{ prompt }`, or any other items of the embedder. */
  readonly prompts: readonly Prompt[];
  /** Makes the embedder of a policy, which must not change during the refresh. It is disposed after the refresh. */
  readonly embedder: (policy: Policy) => Embedder<PromptItem<Prompt>> | Promise<Embedder<PromptItem<Prompt>>>;
  /**
   * Called once for each policy that is no longer needed: after its refresh, when a newer one takes its place, or at the end. Frees
   * snapshots: `(policy) => policy[Symbol.dispose]()`.
   */
  readonly dispose?: (policy: Policy) => void;
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

const optionNames = [
  'prompts',
  'embedder',
  'dispose',
  'density',
  'weighting',
  'sliceSize',
  'timeShare',
  'version',
  'onEvent',
] satisfies (keyof DensityUpdatesOptions<unknown, unknown>)[];

/**
 * Weights that follow a policy while it trains. For each policy, all prompts are embedded again in slices, with pauses so that
 * refreshing takes at most `timeShare` of the time, and then one update of all weights is emitted. Embeddings of different
 * policies lie in different spaces and are never mixed, so there are no partial updates.
 *
 * Since training goes on during a refresh, a policy must be a snapshot of the weights and not the model in training:
 *
 * ```ts
 * const policies = new Subject<ModelSnapshot>();
 * const updates = densityUpdates(policies, {
 *   prompts,
 *   embedder: (model) => logitsEmbedder({ model, tokenizer }),
 *   dispose: (model) => model[Symbol.dispose](),
 * });
 * const subscription = followUpdates(sampler, updates);
 * policies.next(snapshot(policy.model)); // every hundred steps, say; snapshot of `@rarefy/lm` copies no numbers
 * ```
 *
 * An embedder whose weights move during a refresh is refused with StateMismatchError, before any update is emitted: if it throws,
 * if its fingerprint changes, or if it is deterministic and the first slice, embedded again at the end, gives other bytes.
 *
 * A refresh always runs to its end. Of the policies that arrive meanwhile, the newest is next and the others are skipped. The
 * stream ends after the last refresh once the source has ended, and fails if the source, an embedder, the estimator or the
 * weighting fails, with its error. Unsubscribing stops the work before the next slice.
 * @throws InvalidArgumentError if an option is unknown, `timeShare` is out of range, or `weighting` is a weight transform.
 */
export function densityUpdates<Policy, Prompt>(
  policies: ObservableInput<Policy>,
  options: DensityUpdatesOptions<Policy, Prompt>,
): Observable<WeightUpdate> {
  checkOptions(options, optionNames, 'densityUpdates');
  const { version = (_, number) => number, timeShare = 0.05, weighting = inverseDensity(), dispose } = options;
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

    const dropWaiting = () => {
      const dropped = waiting;
      waiting = undefined;
      if (dropped) dispose?.(dropped.policy);
    };
    const refreshWaiting = async () => {
      isRefreshing = true;
      try {
        while (waiting && !subscriber.closed) {
          const next = waiting;
          waiting = undefined;
          let weights: Float64Array;
          try {
            weights = await refresh(next, options, timeShare, controller.signal);
          } finally {
            dispose?.(next.policy);
          }
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
          dropWaiting();
          const next = { policy, version: Number.NaN };
          waiting = next;
          next.version = version(policy, ++received);
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
      dropWaiting();
    };
  });
}

/** The weights of all prompts under a policy. @throws StateMismatchError if the weights of the embedder move meanwhile. */
async function refresh<Policy, Prompt>(
  { policy, version }: { readonly policy: Policy; readonly version: number },
  {
    prompts,
    embedder: embedderOf,
    density: estimator = knnDistance(),
    weighting = inverseDensity(),
    sliceSize = 32,
    onEvent,
  }: DensityUpdatesOptions<Policy, Prompt>,
  timeShare: number,
  signal: AbortSignal,
): Promise<Float64Array> {
  let resumed = performance.now();
  const pause = async () => {
    const worked = performance.now() - resumed;
    await sleep(worked * (1 / timeShare - 1), signal);
    resumed = performance.now();
  };
  const items = promptItems(prompts);
  await using embedder = await embedderOf(policy);
  const { fingerprint } = embedder;
  const checkFingerprint = () => {
    if (embedder.fingerprint === fingerprint) return;
    throw weightsMoved(version, `its fingerprint "${fingerprint}" became "${embedder.fingerprint}"`);
  };
  async function* slices() {
    const work = { task: 'refresh density', total: items.length, batchSize: sliceSize, signal, onEvent };
    for await (const part of embedStream(embedder, items, work)) {
      checkFingerprint();
      yield part;
      await pause();
    }
  }
  const embeddings = await collect(slices());
  checkFingerprint();
  const inSlice = Math.min(sliceSize, embedder.capabilities.maxBatch);
  if (embedder.capabilities.deterministic && items.length > inSlice) {
    const { embeddings: again } = await embedder.embedBatch(items.slice(0, inSlice), { signal });
    if (!startsWith(embeddings, again))
      throw weightsMoved(version, 'the first prompts, embedded again, gave other rows');
  }
  const { weights } = await weighPrompts(embeddings, { estimator, weighting, signal, onEvent });
  await pause(); // before the update is emitted, so that successive refreshes keep their share too
  return weights;
}

/** Whether `rows` begins with the rows of `first`. */
function startsWith(rows: Matrix, first: Matrix): boolean {
  return first.cols === rows.cols && first.data.every((value, index) => value === rows.data[index]);
}

function weightsMoved(version: number, evidence: string): StateMismatchError {
  return new StateMismatchError(
    `the weights of the embedder of policy ${version} moved during the density refresh: ${evidence}. Its rows would mix versions of the weights; give densityUpdates snapshots of the policy, such as snapshot(model) of @rarefy/lm`,
  );
}
