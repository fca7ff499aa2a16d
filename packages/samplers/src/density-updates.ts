import {
  type CallOptions,
  checkComponent,
  checkEmbedder,
  checkInteger,
  checkItemArray,
  checkOptions,
  checkWeighting,
  collect,
  type DensityEstimator,
  described,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  type Matrix,
  ShapeError,
  StateMismatchError,
  sleep,
  type Weighting,
  type WeightUpdate,
} from '@rarefy/core';
import { knnDistance, weighPrompts } from '@rarefy/density';
import { from, Observable, type ObservableInput } from 'rxjs';
import type { DensityAwareSampler } from './density-aware.js';
import { type PromptItem, promptItems } from './prompt-items.js';
import { checkSource, checkUpdatable } from './update-reports.js';
import type { WeightedSampler } from './weighted.js';

/** The sampler that gets the updates: a density-aware one, or any whose weights can change, such as one of saved weights. */
export type UpdatedSampler<Prompt> = Pick<WeightedSampler, 'update' | 'weights' | 'weightsVersion'> &
  Partial<Pick<DensityAwareSampler<Prompt>, 'prompts' | 'estimator' | 'weighting'>>;

export interface DensityUpdatesOptions<Policy, Prompt> extends Pick<CallOptions, 'onEvent'> {
  /** Versions continue from its `weightsVersion`, and what it was built from is the default of the options below. */
  readonly sampler: UpdatedSampler<Prompt>;
  /**
   * All prompts, in the order of the sampler's positions: texts, records `{ prompt }`, or any other items of the embedder. Default:
   * those of a density-aware sampler; required for other samplers.
   */
  readonly prompts?: readonly Prompt[];
  /** Makes the embedder of a policy, which must not change during the refresh. It is disposed after the refresh. */
  readonly embedder: (policy: Policy) => Embedder<PromptItem<Prompt>> | Promise<Embedder<PromptItem<Prompt>>>;
  /**
   * Called once for each policy that is no longer needed: after its refresh, when a newer one takes its place, or at the end. Frees
   * snapshots: `(policy) => policy[Symbol.dispose]()`.
   */
  readonly dispose?: (policy: Policy) => void;
  /** Default: that of a density-aware sampler; for other samplers `knnDistance({ k: 10 })`. */
  readonly estimator?: DensityEstimator;
  /** From density to weight. Default: that of a density-aware sampler; required for other samplers. */
  readonly weighting?: Weighting;
  /** Prompts per slice. Default 32. */
  readonly sliceSize?: number;
  /** Maximum share of the time that refreshing may take, in (0, 1]. Default 0.05. */
  readonly timeShare?: number;
  /**
   * Version of the update of a policy, from its number in the stream, which starts at 1. Default: the next version of the sampler
   * at the time of the update.
   */
  readonly version?: (policy: Policy, number: number) => number;
}

const optionNames = [
  'sampler',
  'prompts',
  'embedder',
  'dispose',
  'estimator',
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
 *   sampler, // of densityAwareSampler
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
 * @throws InvalidArgumentError if an option is unknown, an argument has the wrong type, `timeShare` is out of range, `weighting` is
 * a weight transform, or the sampler does not know its prompts and weighting and they are not given; ShapeError if there is not one
 * prompt per position; StateMismatchError naming the first prompt that is not the sampler's.
 */
export function densityUpdates<Policy, Prompt>(
  policies: ObservableInput<Policy>,
  options: DensityUpdatesOptions<Policy, Prompt>,
): Observable<WeightUpdate> {
  checkSource(policies, 'densityUpdates(policies, options)');
  const {
    sampler,
    timeShare = 0.05,
    sliceSize = 32,
    onEvent,
    dispose,
  } = checkOptions(options, optionNames, 'densityUpdates');
  checkUpdatable(sampler, 'the sampler option of densityUpdates');
  if (typeof options.embedder !== 'function') {
    throw new InvalidArgumentError(
      `embedder must be a function that makes the embedder of a policy, got ${described(options.embedder)}; give one, such as (model) => logitsEmbedder({ model, tokenizer })`,
    );
  }
  const { prompts = sampler.prompts, weighting = sampler.weighting } = options;
  const { estimator = sampler.estimator ?? knnDistance() } = options;
  if (prompts === undefined || weighting === undefined) {
    throw new InvalidArgumentError(
      `densityUpdates needs ${prompts ? 'the weighting' : 'prompts and weighting'} of this sampler, which only a sampler of densityAwareSampler knows; give what its weights were made with`,
    );
  }
  checkInteger('sliceSize', sliceSize, 1);
  if (!(timeShare > 0 && timeShare <= 1)) {
    throw new InvalidArgumentError(`timeShare must be in (0, 1], got ${timeShare}`);
  }
  checkComponent('density-estimator', estimator, 'densityUpdates');
  checkWeighting(weighting);
  checkPrompts(prompts, sampler);
  const work = { embedder: options.embedder, prompts, estimator, weighting, sliceSize, timeShare, onEvent };
  return new Observable((subscriber) => {
    const controller = new AbortController();
    let waiting: Waiting<Policy> | undefined;
    let received = 0;
    let emitted = Number.NEGATIVE_INFINITY; // version of the last update
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
            weights = await refresh(next, work, controller.signal);
          } finally {
            dispose?.(next.policy);
          }
          emitted = next.version ?? Math.max(emitted, sampler.weightsVersion) + 1;
          subscriber.next({ version: emitted, positions: Int32Array.from(weights.keys()), weights });
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
          waiting = { policy, number: ++received };
          const version = options.version?.(policy, received);
          waiting = { policy, number: received, version };
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

interface Waiting<Policy> {
  readonly policy: Policy;
  /** In the stream, from 1. */
  readonly number: number;
  /** Undefined if the sampler decides. */
  readonly version?: number | undefined;
}

/** @throws ShapeError or StateMismatchError if these are not the prompts of the sampler, as far as it knows them. */
function checkPrompts<Prompt>(prompts: readonly Prompt[], sampler: UpdatedSampler<Prompt>): void {
  checkItemArray(prompts, 'densityUpdates');
  const { length: positions } = sampler.weights();
  if (prompts.length !== positions) {
    throw new ShapeError(
      `densityUpdates got ${prompts.length} prompts, and the sampler has ${positions} positions; give the prompts of the sampler, in its order`,
    );
  }
  if (sampler.prompts === undefined || sampler.prompts === prompts) return;
  const [given, own] = [promptItems(prompts), promptItems(sampler.prompts)];
  const differs = given.findIndex((item, at) => Object(item) !== item && item !== own[at]); // objects are not compared
  if (differs < 0) return;
  throw new StateMismatchError(
    `prompt ${differs} is ${JSON.stringify(given[differs])}, and the sampler was built with ${JSON.stringify(own[differs])} there; give its prompts in its order, or leave prompts out`,
  );
}

type RefreshWork<Policy, Prompt> = Required<
  Pick<
    DensityUpdatesOptions<Policy, Prompt>,
    'prompts' | 'embedder' | 'estimator' | 'weighting' | 'sliceSize' | 'timeShare'
  >
> &
  Pick<CallOptions, 'onEvent'>;

/** The weights of all prompts under a policy. @throws StateMismatchError if the weights of the embedder move meanwhile. */
async function refresh<Policy, Prompt>(
  { policy, number }: Waiting<Policy>,
  { prompts, embedder: embedderOf, estimator, weighting, sliceSize, timeShare, onEvent }: RefreshWork<Policy, Prompt>,
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
  checkEmbedder(embedder, 'densityUpdates');
  const { fingerprint } = embedder;
  const checkFingerprint = () => {
    if (embedder.fingerprint === fingerprint) return;
    throw weightsMoved(number, `its fingerprint "${fingerprint}" became "${embedder.fingerprint}"`);
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
      throw weightsMoved(number, 'the first prompts, embedded again, gave other rows');
  }
  const { weights } = await weighPrompts(embeddings, { estimator, weighting, signal, onEvent });
  await pause(); // before the update is emitted, so that successive refreshes keep their share too
  return weights;
}

/** Whether `rows` begins with the rows of `first`. */
function startsWith(rows: Matrix, first: Matrix): boolean {
  return first.cols === rows.cols && first.data.every((value, index) => value === rows.data[index]);
}

function weightsMoved(number: number, evidence: string): StateMismatchError {
  return new StateMismatchError(
    `the weights of the embedder of policy ${number} moved during the density refresh: ${evidence}. Its rows would mix versions of the weights; give densityUpdates snapshots of the policy, such as snapshot(model) of @rarefy/lm`,
  );
}
