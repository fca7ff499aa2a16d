import {
  type Draws,
  digest,
  InvalidArgumentError,
  type Sampler,
  type SamplerState,
  type Stateful,
  StateMismatchError,
} from '@rarefy/core';
import { type Importance, importanceWeights } from './importance.js';
import type { BatchDataset, DatasetOptions } from './to-dataset.js';
import { toDataset } from './to-dataset.js';

/** Small JSON. */
export interface LoaderState {
  readonly version: 1;
  /** Batches handed over so far. */
  readonly step: number;
  /** Draws in those batches. */
  readonly draws: number;
  /** Of these two numbers; the sampler guards its own state. */
  readonly digest: string;
  readonly sampler: SamplerState;
}

/** The prompts of one step, each drawn prompt once; `promptRows` gives the rows of the step, `groupSize` a prompt. */
export interface PromptBatch<Prompt> {
  /** 1 for the first batch of the run. */
  readonly step: number;
  /** Row number of each prompt in the data set: [batchSize]. */
  readonly positions: Int32Array;
  readonly prompts: readonly Prompt[];
  /** Completions to write for each prompt. */
  readonly groupSize: number;
  /** Chance that each draw had when it was made, if the sampler tells. */
  readonly probabilities?: Float64Array | undefined;
  /** (p / q)^beta of each draw, unless `importance` is `none`. */
  readonly importance?: Float64Array | undefined;
  /** Index of the batch's first draw in the sampler's stream. */
  readonly first: number;
  /** Weight version that the batch was drawn with. */
  readonly version: number;
  /** Weight versions between the draw and the hand-over: updates that this batch, drawn ahead, does not know of. */
  readonly staleness: number;
  /**
   * The loader's state right after this batch's draws: restored, it gives the batches that follow. Updates and feedback that the
   * sampler gets later are not in it; `loader.state()` has them.
   */
  readonly state: LoaderState;
}

export interface LoaderOptions {
  readonly sampler: Sampler;
  /** Prompts a batch; default 32. */
  readonly batchSize?: number;
  /** Completions a prompt; default 8. */
  readonly groupSize?: number;
  /** Whether draws carry (p / q)^beta for the loss; default `none`. The sampler must tell its probabilities. */
  readonly importance?: Importance;
  /** p of every position, summing to 1; default uniform. */
  readonly target?: Float64Array;
  /**
   * Batches drawn ahead; default 0. Without updates and feedback the stream is the same for any number. Updates and feedback reach
   * a batch drawn ahead no more: see `staleness`. Drawing takes microseconds, so nothing is gained in speed.
   */
  readonly prefetch?: number;
  /** Ends the iteration with the signal's reason, before the next batch. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * An online stream of batches. One consumer at a time; leaving the loop keeps the place, and the next loop goes on with the
 * batch after the last one handed over.
 */
export interface GrpoLoader<Prompt> extends AsyncIterable<PromptBatch<Prompt>>, Stateful<LoaderState> {
  /** The one the loader draws from. */
  readonly sampler: Sampler;
  /** Number of prompts in the data set now: it may grow, prompts first, then their weights. */
  readonly size: number;
  /** What decides the batches beside the sampler, as JSON: a resumed run must have the same. */
  readonly settings: Readonly<Record<string, unknown>>;
  /**
   * The state after the last batch handed over. With nothing drawn ahead it is the sampler's state now, so it holds the updates and
   * the feedback since; else it equals that batch's `state`.
   */
  state(): LoaderState;
  /** The same batches as a `tf.data.Dataset`, from `@tensorflow/tfjs-data`. It shares the loader's place. */
  toDataset(options?: DatasetOptions): Promise<BatchDataset<Prompt>>;
}

/**
 * Feeds GRPO from any sampler, whose draws are prompt positions. Ends when the sampler does; a partial last batch is dropped.
 * @param prompts of any type; a draw's position is an index into them; not copied
 * @throws InvalidArgumentError for a wrong option, a position without a prompt, or a second consumer
 */
export function grpoLoader<Prompt>(prompts: readonly Prompt[], options: LoaderOptions): GrpoLoader<Prompt> {
  const { sampler, batchSize = 32, groupSize = 8, importance = 'none', target, prefetch = 0, signal } = options;
  checkInteger('batchSize', batchSize, 1);
  checkInteger('groupSize', groupSize, 1);
  checkInteger('prefetch', prefetch, 0);
  importanceWeights(new Int32Array(0), new Float64Array(0), importance, prompts.length, target); // refuses wrong ones at once
  let ahead: PromptBatch<Prompt>[] = []; // drawn, not handed over; they outlive a loop that is left early
  let drawn = { step: 0, draws: 0 };
  let handedOver: LoaderState | undefined; // known once anything is drawn
  let newestVersion = 0;
  let finished = false;
  let consumed = false;

  const snapshot = (): LoaderState => ({ version: 1, ...drawn, digest: digestOf(drawn), sampler: sampler.state() });

  const drawBatch = () => {
    const draws = sampler.draw(batchSize);
    const { positions, first = drawn.draws, version = 0 } = draws;
    newestVersion = version;
    finished = positions.length < batchSize;
    if (finished) return;
    checkPositions(draws, batchSize, prompts.length);
    const weights = importance === 'none' ? undefined : weigh(draws);
    drawn = { step: drawn.step + 1, draws: drawn.draws + batchSize };
    ahead.push({
      step: drawn.step,
      positions,
      prompts: Array.from(positions, (position) => prompts[position]!),
      groupSize,
      probabilities: draws.probabilities,
      importance: weights,
      first,
      version,
      staleness: 0,
      state: snapshot(),
    });
  };

  const weigh = ({ positions, probabilities }: Draws): Float64Array => {
    if (!probabilities) {
      throw new InvalidArgumentError('importance needs the chance of each draw, and this sampler does not tell it');
    }
    return importanceWeights(positions, probabilities, importance, prompts.length, target);
  };

  const next = (): PromptBatch<Prompt> | undefined => {
    handedOver ??= snapshot();
    // The newest draw is made at the moment of the hand-over, so it tells the version then in force.
    while (ahead.length <= prefetch && !finished) drawBatch();
    const batch = ahead.shift();
    if (!batch) return undefined;
    handedOver = batch.state;
    return { ...batch, staleness: newestVersion - batch.version };
  };

  async function* iterate(): AsyncGenerator<PromptBatch<Prompt>, void, undefined> {
    if (consumed) {
      throw new InvalidArgumentError(
        'the loader already has a consumer; leave its loop first, or make another loader with another sampler',
      );
    }
    consumed = true;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const batch = next();
        if (!batch) return;
        yield batch;
      }
    } finally {
      consumed = false;
    }
  }

  const loader: GrpoLoader<Prompt> = {
    sampler,
    get size() {
      return prompts.length;
    },
    settings: { batchSize, groupSize, importance, target: target ? digest(target) : 'uniform' },
    [Symbol.asyncIterator]: iterate,
    state: () => (ahead.length > 0 ? handedOver! : snapshot()),
    restore(state) {
      const place = placeIn(state);
      sampler.restore(state.sampler);
      ahead = [];
      drawn = place;
      handedOver = undefined;
      finished = false;
    },
    toDataset: (datasetOptions) => toDataset(loader, datasetOptions),
  };
  return loader;
}

interface Place {
  readonly step: number;
  readonly draws: number;
}

const digestOf = ({ step, draws }: Place) => digest([step, draws]);

/** @throws StateMismatchError when it is no state of a loader, or damaged. */
function placeIn(state: LoaderState): Place {
  const { version, step, draws, digest: saved } = (state ?? {}) as Partial<LoaderState>;
  if (version === 1 && typeof step === 'number' && typeof draws === 'number' && saved === digestOf({ step, draws })) {
    return { step, draws };
  }
  const seen = String(JSON.stringify(state)).slice(0, 200);
  throw new StateMismatchError(`this is no loader state of version 1, or a damaged one: ${seen}`);
}

function checkPositions({ positions }: Draws, batchSize: number, prompts: number): void {
  if (positions.length > batchSize) {
    throw new InvalidArgumentError(`the sampler drew ${positions.length} positions when asked for ${batchSize}`);
  }
  const bad = positions.findIndex((position) => !(Number.isInteger(position) && position >= 0 && position < prompts));
  if (bad < 0) return;
  throw new InvalidArgumentError(
    `the sampler drew position ${positions[bad]} and there are ${prompts} prompts; build it from the same prompts`,
  );
}

function checkInteger(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new InvalidArgumentError(`${name} must be an integer ≥ ${least}, got ${value}`);
}
