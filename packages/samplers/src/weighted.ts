import {
  type CounterRandom,
  checkInteger,
  checkOptions,
  counterRandom,
  type Draws,
  digest,
  InvalidArgumentError,
  type IterableSampler,
  iterableSampler,
  StateMismatchError,
  shown,
  type WeightUpdate,
} from '@rarefy/core';
import { checkDigest, lazily, payloadOf, readIndex } from './state/sampler-state.js';
import { restoreWeightLog, type WeightChange, weightLog } from './state/weight-log.js';
import { copyWeights } from './structures/checks.js';
import type { SumTree } from './structures/sum-tree.js';

export interface WeightedSamplerOptions {
  /** Any safe integer. Draw n depends only on the seed, n and the weights in force. */
  readonly seed: number;
}

/** New positions at the end of the data set. */
export interface WeightAddition {
  /** Grows with every change, like the version of an update. */
  readonly version: number;
  /** One per new position, finite and ≥ 0. */
  readonly weights: Float64Array;
}

/** Positions that are never drawn again. */
export interface WeightRemoval {
  /** Grows with every change, like the version of an update. */
  readonly version: number;
  readonly positions: Int32Array;
}

/** Draws with replacement, in proportion to weights that may change between draws. */
export interface WeightedSampler extends IterableSampler {
  /** Version of the last change; 0 before the first one. */
  readonly weightsVersion: number;
  draw(count: number): Required<Draws>;
  probabilities(): Float64Array;
  /** A copy of the weights in force. */
  weights(): Float64Array;
  /**
   * Changes weights from the next draw on, in O(log n) per position. If a position occurs twice, its last weight applies. An update
   * that throws changes nothing.
   * @throws InvalidArgumentError if the version does not grow or a position is out of range; InvalidWeightsError naming the first
   * invalid weight, or if no weight above 0 is left.
   */
  update(update: WeightUpdate): void;
  /** Adds positions after the last one, from the next draw on. Returns the first new position. Throws like `update`. */
  add(addition: WeightAddition): number;
  /**
   * Removes positions from the next draw on. Other positions keep their numbers. Later updates of removed positions are ignored,
   * because they may have been on their way. Throws like `update`.
   */
  remove(removal: WeightRemoval): void;
}

/**
 * An endless stream of positions with replacement: draw n is the position whose share of the weights contains uniform n of the
 * seed. Without updates the stream is the same however it is split into calls.
 *
 * The state holds the changes so far, or a snapshot of the weights once that is shorter. It is restored into any weighted sampler
 * of the same seed and the same initial weights, to the bit, whatever that sampler has drawn. `densityAwareSampler` makes one too:
 * save its `weights()` before the first update, and `weightedSampler(saved, { seed })` takes its state without embedding anything.
 * @param weights one per position, finite and ≥ 0, not all zero; copied
 * @throws InvalidWeightsError naming the first invalid weight, or if all are zero; InvalidArgumentError if the seed is not a safe
 * integer or an option is unknown.
 */
export function weightedSampler(weights: ArrayLike<number>, options: WeightedSamplerOptions): WeightedSampler {
  const { seed } = checkOptions(options, ['seed'] satisfies (keyof WeightedSamplerOptions)[], 'weightedSampler');
  const initial = copyWeights(weights);
  const random = counterRandom(seed);
  const initialDigest = lazily(() => digest(initial));
  const fingerprint = () => `weighted-sampler:size=${initial.length},weights=${initialDigest()},seed=${seed}`;
  let log = weightLog(initial, initialDigest);
  let next = 0;

  const currentWeights = () => {
    const { tree } = log;
    const copy = new Float64Array(tree.size);
    for (let position = 0; position < tree.size; position++) copy[position] = tree.weight(position);
    return copy;
  };
  const stateDigest = (index: number, from = log) => digest([seed, index, from.version], from.history());
  const none = { positions: new Int32Array(0), weights: new Float64Array(0) };
  const apply = (change: Omit<WeightChange, 'next'>) => log.apply({ next, ...change });

  return iterableSampler<Omit<WeightedSampler, typeof Symbol.iterator>>({
    specificationVersion: 'v1',
    kind: 'sampler',
    get fingerprint() {
      return fingerprint();
    },
    capabilities: { replacement: true, finite: false, adaptive: false },
    get weightsVersion() {
      return log.version;
    },
    draw(count) {
      checkInteger('count', count, 0);
      const first = next;
      const { positions, probabilities } = drawFrom(log.tree, random, first, count);
      next += count;
      return { positions, probabilities, first, version: log.version };
    },
    probabilities() {
      const { total } = log.tree;
      return currentWeights().map((weight) => weight / total);
    },
    weights: currentWeights,
    update(update) {
      const { version, positions, weights } = checkedChange(update, 'an update', '{ version, positions, weights }');
      apply({ kind: 'update', version, positions: copyPositions(positions), weights: copyWeights(weights) });
    },
    add(addition) {
      const { version, weights } = checkedChange(addition, 'an addition', '{ version, weights }');
      const { size } = log.tree;
      apply({ ...none, kind: 'add', version, weights: copyWeights(weights) });
      return size;
    },
    remove(removal) {
      const { version, positions } = checkedChange(removal, 'a removal', '{ version, positions }');
      apply({ ...none, kind: 'remove', version, positions: copyPositions(positions) });
    },
    state: () => ({
      version: 1,
      fingerprint: fingerprint(),
      payload: { seed, next, weightsVersion: log.version, digest: stateDigest(next), ...log.toState() },
    }),
    restore(state) {
      const payload = payloadOf(state, fingerprint());
      const restored = restoreWeightLog(initial, initialDigest, payload);
      const index = readIndex(payload.next, 'next');
      if (payload.seed !== seed || payload.weightsVersion !== restored.version) {
        throw new StateMismatchError(
          'the seed or weight version in the state contradicts its other fields; it is damaged',
        );
      }
      checkDigest(payload.digest, stateDigest(index, restored));
      log = restored;
      next = index;
    },
  });
}

/** The positions for uniforms `first` to `first + count - 1`, and their probabilities. */
function drawFrom(tree: SumTree, random: CounterRandom, first: number, count: number) {
  const positions = new Int32Array(count);
  const probabilities = new Float64Array(count); // holds uniforms, then weights, then probabilities
  random.fill(first, probabilities);
  tree.findAll(probabilities, positions);
  const { total } = tree;
  for (let draw = 0; draw < count; draw++) probabilities[draw] = probabilities[draw]! / total;
  return { positions, probabilities };
}

/** @throws InvalidArgumentError if `change` is not an object, or is a list. The message starts with `name`. */
function checkedChange<Change>(change: Change, name: string, shape: string): Change {
  if (Object(change) === change && !Array.isArray(change) && !ArrayBuffer.isView(change)) return change;
  throw new InvalidArgumentError(`${name} must be ${shape}, got ${shown(change)}`);
}

/** Also accepts a plain array, such as one from JSON. @throws InvalidArgumentError if a position is not an int32. */
function copyPositions(positions: ArrayLike<number>): Int32Array {
  const copy = new Int32Array(positions);
  if (positions instanceof Int32Array) return copy;
  const bad = copy.findIndex((position, index) => position !== positions[index]);
  if (bad < 0) return copy;
  throw new InvalidArgumentError(`position ${positions[bad]} is not an int32; give positions as an Int32Array`);
}
