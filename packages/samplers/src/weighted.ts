import {
  counterRandom,
  type Draws,
  digest,
  InvalidArgumentError,
  type Sampler,
  StateMismatchError,
  type WeightUpdate,
} from '@rarefy/core';
import { drawUniforms } from './draw-uniforms.js';
import { frozenWeightedSampler } from './frozen-weighted.js';
import { once } from './once.js';
import { checkDigest, payloadOf, readIndex } from './sampler-state.js';
import { restoreWeightLog, type WeightChange, weightLog } from './weight-log.js';

export interface WeightedSamplerOptions {
  /** Any safe integer. Draw n depends on the seed, n and the weights in force alone. */
  readonly seed: number;
  /** First part of the fingerprint, for samplers built on this one; default `weighted-sampler`. */
  readonly name?: string;
  /**
   * Whether the weights stay as they are, for ever: draws are then twice as fast and other ones, and changes are refused.
   * Default false.
   */
  readonly frozen?: boolean;
}

/** New positions at the end of the data set. */
export interface WeightAddition {
  /** Grows with every change, as that of an update. */
  readonly version: number;
  /** One a new position, finite and ≥ 0. */
  readonly weights: Float64Array;
}

/** Positions that are drawn no more. */
export interface WeightRemoval {
  /** Grows with every change, as that of an update. */
  readonly version: number;
  readonly positions: Int32Array;
}

/** Draws with replacement, in proportion to weights that may change between draws. */
export interface WeightedSampler extends Sampler {
  /** Version of the last change; 0 before the first. */
  readonly weightsVersion: number;
  draw(count: number): Required<Draws>;
  probabilities(): Float64Array;
  /** A copy of the weights in force. */
  weights(): Float64Array;
  /**
   * Changes weights from the next draw on, in O(log n) a position; a position named twice takes its last weight. All or
   * nothing: a refused update leaves the sampler as it was.
   * @throws InvalidArgumentError when the version does not grow, a position is out of range or the weights are frozen;
   * InvalidWeightsError for a bad weight or when no weight above 0 is left.
   */
  update(update: WeightUpdate): void;
  /** Adds positions after the last one, from the next draw on; returns the first. Throws as `update`. */
  add(addition: WeightAddition): number;
  /**
   * Removes positions from the next draw on. Others keep their numbers, and later updates of removed ones are passed over, for
   * they may have been on their way. Throws as `update`.
   */
  remove(removal: WeightRemoval): void;
}

/**
 * A sampler of an endless stream of positions, with replacement: draw n is the position whose share of the weights holds
 * uniform n of the seed. Without updates the stream is the same however it is cut into calls.
 *
 * The state holds the changes so far, and a snapshot of the weights once they would take more room: it is restored into a sampler
 * built from the same initial weights and options, whatever that one has drawn since.
 * @param weights one a position, finite and ≥ 0, not all zero; copied
 * @throws InvalidWeightsError naming the first bad position; InvalidArgumentError for a bad seed.
 */
export function weightedSampler(weights: ArrayLike<number>, options: WeightedSamplerOptions): WeightedSampler {
  const initial = copyWeights(weights);
  if (options.frozen) return frozenWeightedSampler(initial, options);
  const { seed, name = 'weighted-sampler' } = options;
  const random = counterRandom(seed);
  const initialDigest = once(() => digest(initial));
  const fingerprint = () => `${name}:size=${initial.length},weights=${initialDigest()},seed=${seed}`;
  let log = weightLog(initial, initialDigest);
  let next = 0;

  const current = () => {
    const { tree } = log;
    const list = new Float64Array(tree.size);
    for (let position = 0; position < tree.size; position++) list[position] = tree.weight(position);
    return list;
  };
  const stateDigest = (index: number, from = log) => digest([seed, index, from.version], from.history());
  const none = { positions: new Int32Array(0), weights: new Float64Array(0) };
  const apply = (change: Omit<WeightChange, 'next'>) => log.apply({ next, ...change });

  return {
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
      const first = next;
      const { positions, probabilities } = drawUniforms(log.tree, random, first, count);
      next += count;
      return { positions, probabilities, first, version: log.version };
    },
    probabilities() {
      const { total } = log.tree;
      return current().map((weight) => weight / total);
    },
    weights: current,
    update: ({ version, positions, weights }) =>
      apply({ kind: 'update', version, positions: copyPositions(positions), weights: copyWeights(weights) }),
    add({ version, weights }) {
      const { size } = log.tree;
      apply({ ...none, kind: 'add', version, weights: copyWeights(weights) });
      return size;
    },
    remove: ({ version, positions }) =>
      apply({ ...none, kind: 'remove', version, positions: copyPositions(positions) }),
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
          'the seed or weight version in the state contradicts the rest of it; it is damaged',
        );
      }
      checkDigest(payload.digest, stateDigest(index, restored));
      log = restored;
      next = index;
    },
  };
}

/** Also of what JavaScript or JSON gave in place of an Int32Array. @throws InvalidArgumentError for what is no int32. */
function copyPositions(positions: ArrayLike<number>): Int32Array {
  const copy = new Int32Array(positions);
  if (positions instanceof Int32Array) return copy;
  const bad = copy.findIndex((position, at) => position !== positions[at]);
  if (bad < 0) return copy;
  throw new InvalidArgumentError(`position ${positions[bad]} is no int32; give positions as an Int32Array`);
}

/** -0 as 0: JSON knows no -0. */
function copyWeights(weights: ArrayLike<number>): Float64Array {
  const copy = new Float64Array(weights.length);
  for (let position = 0; position < copy.length; position++) copy[position] = weights[position]! + 0;
  return copy;
}
