import {
  checkComponent,
  checkInteger,
  checkItemArray,
  checkOptions,
  type Draws,
  described,
  digest,
  InvalidArgumentError,
  type LoadedBatch,
  type Loader,
  type Sampler,
  type SamplerState,
  StateMismatchError,
} from '@rarefy/core';
import type { ChatPrompt } from '@rarefy/tokenizers';
import { checkImportance, type Importance, importanceWeights } from './importance.js';
import { type PromptsState, promptsDigest } from './prompts-digest.js';
import { type BatchDataset, type DatasetOptions, toDataset } from './to-dataset.js';

/** Small JSON. */
export interface LoaderState {
  readonly version: 1;
  /** Number of batches handed over. */
  readonly step: number;
  /** Number of draws in those batches. */
  readonly draws: number;
  /** Digest of these two numbers. The sampler guards its own state. */
  readonly digest: string;
  /** The prompts that were drawn from. A loader of others refuses the state. */
  readonly prompts: PromptsState;
  readonly sampler: SamplerState;
}

/** The prompts of one step, each drawn prompt once. {@link promptRows} repeats each prompt `groupSize` times. */
export interface PromptBatch<Prompt> extends LoadedBatch<Prompt> {
  /** 1 for the first batch of the run. */
  readonly step: number;
  /** (p / q)^beta of each draw: [batchSize]; undefined if `importance` is `none`. */
  readonly importance?: Float64Array | undefined;
  /** Index of the first draw of the batch in the stream of the sampler. */
  readonly first: number;
  /** Weight version that the batch was drawn with. */
  readonly version: number;
  /**
   * Weight versions between the draw and the hand-over: updates that came too late for this batch, which was drawn ahead. Stages of
   * a data set that read ahead count as hand-over: after them, it is `loader.sampler.weightsVersion - batch.version`.
   */
  readonly staleness: number;
  /**
   * The state of the loader right after the draws of this batch: restoring it gives the batches that follow. It does not contain
   * updates and feedback that the sampler receives later; `loader.state()` does.
   */
  readonly state: LoaderState;
}

export interface LoaderOptions {
  readonly sampler: Sampler;
  /** Prompts per batch; default 32. */
  readonly batchSize?: number;
  /** Completions per prompt; default 8. */
  readonly groupSize?: number;
  /** Importance weights (p / q)^beta of the draws, for the loss; default `none`. Others need a sampler that reports q. */
  readonly importance?: Importance;
  /** p of every position, summing to 1; default: uniform. */
  readonly target?: Float64Array;
  /**
   * Batches drawn ahead; default 0. Without updates and feedback the stream does not depend on it. Updates and feedback do not
   * reach a batch that is already drawn: see `staleness`. Drawing takes microseconds, so drawing ahead is not faster.
   */
  readonly prefetch?: number;
  /** Ends the iteration with its reason, before the next batch. */
  readonly signal?: AbortSignal | undefined;
}

const optionNames = [
  'sampler',
  'batchSize',
  'groupSize',
  'importance',
  'target',
  'prefetch',
  'signal',
] as const satisfies readonly (keyof LoaderOptions)[];

/** An online stream of batches. One consumer at a time; a loop that follows one left early continues with the next batch. */
export interface GrpoLoader<Prompt> extends Loader<PromptBatch<Prompt>> {
  /** The sampler that the loader draws from. */
  readonly sampler: Sampler;
  /** Number of prompts in the data set. It may grow during a run: add prompts first, then their weights. */
  readonly size: number;
  /** What decides the batches besides the sampler, as JSON: a resumed run must have the same settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /**
   * The state after the last batch handed over. Without batches drawn ahead it is the current state of the sampler, including
   * updates and feedback since then; otherwise it equals the `state` of that batch. It covers the ids and texts of the prompts: the
   * first call reads all of them, a million in a fraction of a second.
   * @throws InvalidArgumentError once a data set has drawn from the loader, since it may have read ahead of the training loop. Save
   *   the `state` of the last batch trained on.
   */
  state(): LoaderState;
  /**
   * Continues after the batches of `state`. Prompts may have been added since.
   * @throws StateMismatchError naming the first difference if the prompts or their order are others, or if the state belongs to
   *   another sampler or is damaged. Nothing is restored then.
   */
  restore(state: LoaderState): void;
  /**
   * The same batches as a `tf.data.Dataset` of `@tensorflow/tfjs-data`. Both share one stream. Save the `state` of the last batch
   * trained on, in place of `loader.state()`.
   */
  toDataset(options?: DatasetOptions): Promise<BatchDataset<PromptBatch<Prompt>>>;
}

/**
 * Feeds GRPO from any sampler of prompt positions. Ends when the sampler ends; a partial last batch is dropped.
 * @param prompts of any type; position p is `prompts[p]`; not copied
 * @throws InvalidArgumentError if `prompts` is not an array, there is no sampler, or an option is unknown or out of range; while
 *   iterating, if the sampler draws a position without a prompt, or there is a second consumer.
 */
export function grpoLoader<Prompt>(prompts: readonly Prompt[], options: LoaderOptions): GrpoLoader<Prompt> {
  const given = checkOptions(options, optionNames, 'grpoLoader');
  const { sampler, batchSize = 32, groupSize = 8, importance = 'none', target, prefetch = 0, signal } = given;
  checkItemArray(prompts, 'grpoLoader');
  checkComponent('sampler', sampler, 'grpoLoader');
  checkInteger('batchSize', batchSize, 1);
  checkInteger('groupSize', groupSize, 1);
  checkInteger('prefetch', prefetch, 0);
  checkImportance(importance, prompts.length, target);
  let ahead: PromptBatch<Prompt>[] = []; // drawn but not handed over; kept when a loop is left early
  let drawn: Count = { step: 0, draws: 0 };
  let handedOver: LoaderState | undefined; // undefined until something is drawn
  let newestVersion = 0;
  let finished = false;
  let consumed = false;
  let feedsDataset = false;
  const promptsRead = promptsDigest(prompts);

  const snapshot = (): LoaderState => ({
    version: 1,
    ...drawn,
    digest: digestOf(drawn),
    prompts: promptsRead.state(),
    sampler: sampler.state(),
  });

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
      throw new InvalidArgumentError(
        'importance weights need the probability of each draw, and this sampler does not report it; use another sampler or importance none',
      );
    }
    return importanceWeights(positions, probabilities, importance, prompts.length, target);
  };

  const next = (): PromptBatch<Prompt> | undefined => {
    handedOver ??= snapshot();
    while (ahead.length <= prefetch && !finished) drawBatch();
    const batch = ahead.shift();
    if (!batch) return undefined;
    handedOver = batch.state;
    return { ...batch, staleness: (sampler.weightsVersion ?? newestVersion) - batch.version };
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
    state() {
      if (feedsDataset) {
        throw new InvalidArgumentError(
          'a data set draws from this loader and may be ahead of your loop, so the loader does not know what you trained on; save the `state` of the last batch that you trained on',
        );
      }
      return ahead.length > 0 ? handedOver! : snapshot();
    },
    restore(state) {
      const count = countOf(state);
      promptsRead.check(state.prompts);
      sampler.restore(state.sampler);
      feedsDataset = false;
      ahead = [];
      drawn = count;
      handedOver = undefined;
      finished = false;
    },
    toDataset(datasetOptions) {
      const batches = {
        [Symbol.asyncIterator]() {
          feedsDataset = true;
          return iterate();
        },
      };
      return toDataset(batches, datasetOptions);
    },
  };
  return loader;
}

/** The rows of one step, batchSize x groupSize: row r is completion r % groupSize of prompt floor(r / groupSize). */
export interface PromptRows<Prompt> {
  readonly prompts: Prompt[];
  readonly positions: Int32Array;
}

/**
 * Repeats each prompt of the batch `groupSize` times; copies are adjacent, as `groupAdvantages` expects them.
 * @throws InvalidArgumentError if `batch` is not a batch, but for example the loader.
 */
export function promptRows<Prompt>(batch: PromptBatch<Prompt>): PromptRows<Prompt> {
  const { prompts, positions, groupSize } = Object(batch) as PromptBatch<Prompt>;
  if (!Array.isArray(prompts)) {
    throw new InvalidArgumentError(`promptRows needs a batch of a loader, got ${described(batch)}`);
  }
  return {
    prompts: prompts.flatMap((prompt) => Array<Prompt>(groupSize).fill(prompt)),
    positions: Int32Array.from(
      { length: positions.length * groupSize },
      (_, row) => positions[Math.floor(row / groupSize)]!,
    ),
  };
}

/**
 * The texts or messages of a batch and their positions, for a rollout.
 * @throws InvalidArgumentError if a prompt is not a record with a text or messages as `prompt`, such as a text alone.
 */
export function promptTexts({ prompts, positions }: PromptBatch<{ readonly prompt: ChatPrompt }>) {
  return prompts.map((record: unknown, row) => {
    const { prompt } = Object(record) as { readonly prompt?: ChatPrompt };
    const position = positions[row]!;
    if (typeof prompt === 'string' || Array.isArray(prompt)) return { prompt: prompt as ChatPrompt, position };
    const what = typeof record === 'object' ? 'has no text `prompt`' : `is ${described(record)} in place of a record`;
    throw new InvalidArgumentError(
      `the prompt at position ${position} ${what}; give the loader records, such as prompts.map((prompt) => ({ prompt }))`,
    );
  });
}

interface Count {
  readonly step: number;
  readonly draws: number;
}

const digestOf = ({ step, draws }: Count) => digest([step, draws]);

/** @throws StateMismatchError if `state` is not the state of a loader, or is damaged. */
function countOf(state: LoaderState): Count {
  const { version, step, draws, digest: saved, prompts } = (state ?? {}) as Partial<LoaderState>;
  const isWhole = typeof step === 'number' && typeof draws === 'number' && saved === digestOf({ step, draws });
  const hasPrompts = Number.isSafeInteger(prompts?.count) && typeof prompts?.prefixes === 'string';
  if (version === 1 && isWhole && hasPrompts) return { step, draws };
  const seen = String(JSON.stringify(state)).slice(0, 200);
  const hint = typeof state === 'string' ? '; parse it with JSON.parse' : '';
  throw new StateMismatchError(`this is not a valid loader state of version 1: ${seen}${hint}`);
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
