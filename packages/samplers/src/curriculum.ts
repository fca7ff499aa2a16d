import {
  checkInteger,
  checkOptions,
  counterRandom,
  type Draws,
  described,
  digest,
  type Feedback,
  InvalidArgumentError,
  type IterableSampler,
  iterableSampler,
} from '@rarefy/core';
import {
  type CurriculumSnapshot,
  chainFeedback,
  type RecordedFeedback,
  readFeedback,
  readSnapshot,
  takeSnapshot,
} from './state/curriculum-state.js';
import { checkDigest, checkStateSeed, payloadOf, readIndex } from './state/sampler-state.js';
import { checkedWeight, checkTotal, copyWeights } from './structures/checks.js';
import { sumTree } from './structures/sum-tree.js';

export interface CurriculumOptions {
  /** Any safe integer. Draw n depends only on the seed, n and the feedback before it. */
  readonly seed: number;
  /** Share of the draws that are uniform over the positions of weight above 0, in (0, 1]. Default 0.1. */
  readonly floor?: number;
  /** Largest factor by which difficulty and staleness may raise a weight, ≥ 1. Default 10. */
  readonly cap?: number;
  /** Growth of the staleness factor per n draws, where n is the number of positions; ≥ 0. Default 1. */
  readonly staleness?: number;
  /** Share of the newest pass rate in the running pass rate of a position, in (0, 1]. Default 0.5. */
  readonly smoothing?: number;
  /** Maps the mean reward of a group to its pass rate in [0, 1]. Default: the reward, clipped to [0, 1]. */
  readonly passRate?: (reward: number) => number;
  /** First part of the fingerprint; give another name with another `passRate`. Default `curriculum`. */
  readonly name?: string;
}

const optionNames = [
  'seed',
  'floor',
  'cap',
  'staleness',
  'smoothing',
  'passRate',
  'name',
] satisfies (keyof CurriculumOptions)[];

/** Draws with replacement, and prefers positions that are rare, neither solved nor hopeless, and not drawn for long. */
export interface Curriculum extends IterableSampler {
  draw(count: number): Required<Omit<Draws, 'version'>>;
  observe(feedback: Feedback): void;
  probabilities(): Float64Array;
  /** Running pass rate of each position; 0.5 before its first feedback. */
  passRates(): Float64Array;
}

/**
 * Draws in proportion to weight × difficulty × staleness. Difficulty is 4 p (1 - p) for the running pass rate p: GRPO learns
 * nothing from a group whose completions all succeed or all fail. Staleness grows with the draws since a position was last drawn.
 * It is updated for one position per draw, in turn, so that a draw takes O(log n).
 *
 * No prompt starves: at every draw each position of weight above 0 has a probability of at least floor / n, whatever the
 * feedback. The state is a snapshot, renewed every n draws or n groups of feedback, and the feedback since then.
 * @param weights one per position, usually the inverse density; finite and ≥ 0, not all zero; copied
 * @throws InvalidWeightsError naming the first invalid weight, or if all are zero; InvalidArgumentError if an option is unknown or
 * out of range.
 */
export function curriculum(weights: ArrayLike<number>, options: CurriculumOptions): Curriculum {
  const {
    seed,
    floor = 0.1,
    cap = 10,
    staleness = 1,
    smoothing = 0.5,
    name = 'curriculum',
    passRate = (reward: number) => Math.min(1, Math.max(0, reward)),
  } = checkOptions(options, optionNames, 'curriculum');
  checkOption('floor', floor, floor > 0 && floor <= 1, 'in (0, 1]');
  checkOption('cap', cap, cap >= 1 && cap < Infinity, 'finite and ≥ 1');
  checkOption('staleness', staleness, staleness >= 0 && staleness < Infinity, 'finite and ≥ 0');
  checkOption('smoothing', smoothing, smoothing > 0 && smoothing <= 1, 'in (0, 1]');
  const random = counterRandom(seed);
  const base = copyWeights(weights);
  const tree = sumTree(base);
  checkTotal(tree.total, tree.size);
  for (const [position, weight] of base.entries()) checkedWeight(weight * cap, position); // the largest that it can become
  const size = base.length;
  const possible = Int32Array.from(base.keys()).filter((position) => base[position]! > 0);
  const weightsDigest = digest(base);
  const fingerprint = `${name}:size=${size},weights=${weightsDigest},seed=${seed},floor=${floor},cap=${cap},staleness=${staleness},smoothing=${smoothing}`;
  const snapshotEvery = Math.max(1024, size);

  const rates = new Float64Array(size).fill(0.5);
  const lastDraws = new Float64Array(size);
  let next = 0;
  let snapshot: CurriculumSnapshot;
  let feedbacks: RecordedFeedback[] = [];
  let history: string;
  let logged = 0;

  const weightsInForce = () => base.map((_, position) => tree.weight(position));
  const renewSnapshot = () => {
    snapshot = takeSnapshot(next, [rates, lastDraws, weightsInForce()], weightsDigest);
    feedbacks = [];
    history = snapshot.digest;
    logged = 0;
  };
  renewSnapshot();

  const refresh = (position: number) => {
    const rate = rates[position]!;
    const stale = 1 + (staleness * (next - lastDraws[position]!)) / size;
    tree.update(position, base[position]! * Math.min(cap, 4 * rate * (1 - rate) * stale));
  };
  /** Probability of a position at the next draw. */
  const probabilityOf = (position: number) => {
    if (base[position] === 0) return 0;
    if (!(tree.total > 0)) return 1 / possible.length; // every position is solved or hopeless
    return floor / possible.length + ((1 - floor) * tree.weight(position)) / tree.total;
  };
  const find = (uniform: number) => {
    const share = tree.total > 0 ? floor : 1;
    if (uniform >= share) return tree.find((uniform - share) / (1 - share));
    return possible[Math.min(possible.length - 1, Math.floor((uniform / share) * possible.length))]!;
  };
  /** Counts a draw and updates the weights of the drawn position and of the one whose turn it is. */
  const advance = (position: number) => {
    const turn = next % size;
    next++;
    lastDraws[position] = next;
    refresh(position);
    refresh(turn);
  };
  const learn = (feedback: RecordedFeedback) => {
    feedback.positions.forEach((position, group) => {
      rates[position] = rates[position]! + smoothing * (feedback.passRates[group]! - rates[position]!);
      refresh(position);
    });
    feedbacks.push(feedback);
    history = chainFeedback(feedback, history);
    logged += 2 + feedback.positions.length;
    if (logged > snapshotEvery) renewSnapshot();
  };

  return iterableSampler<Omit<Curriculum, typeof Symbol.iterator>>({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: true, finite: false, adaptive: true },
    draw(count) {
      checkInteger('count', count, 0);
      const first = next;
      const positions = new Int32Array(count);
      const probabilities = new Float64Array(count);
      for (let draw = 0; draw < count; draw++) {
        const position = find(random.uniform(next));
        positions[draw] = position;
        probabilities[draw] = probabilityOf(position);
        advance(position);
        if (next - snapshot.next >= snapshotEvery) renewSnapshot();
      }
      return { positions, probabilities, first };
    },
    observe(feedback) {
      const { positions, rewards } = checkedFeedback(feedback);
      if (!rewards) return;
      if (rewards.length !== positions.length) {
        throw new InvalidArgumentError(
          `feedback has ${positions.length} positions and ${rewards.length} rewards; give one reward per position`,
        );
      }
      const passRates = Array.from(rewards, (reward) => passRate(reward) + 0);
      for (const [group, position] of positions.entries()) {
        const rate = passRates[group]!;
        if (!(Number.isInteger(position) && position >= 0 && position < size)) {
          throw new InvalidArgumentError(`feedback has position ${position}, which is not an integer in [0, ${size})`);
        }
        if (!(rate >= 0 && rate <= 1)) {
          throw new InvalidArgumentError(
            `the pass rate of reward ${rewards[group]} at position ${position} is ${rate} and must be in [0, 1]; give a passRate that returns values in that range`,
          );
        }
      }
      learn(
        Object.freeze({ next, positions: Object.freeze(Array.from(positions)), passRates: Object.freeze(passRates) }),
      );
    },
    probabilities: () => base.map((_, position) => probabilityOf(position)),
    passRates: () => rates.slice(),
    state: () => ({
      version: 1,
      fingerprint,
      payload: { seed, next, digest: digest([seed, next], history), snapshot, feedback: feedbacks.slice() },
    }),
    restore(state) {
      const payload = payloadOf(state, fingerprint);
      const { snapshot: saved, lists } = readSnapshot(payload.snapshot, size, weightsDigest);
      const index = readIndex(payload.next, 'next');
      const recorded = readFeedback(payload.feedback, size);
      const chain = recorded.reduce((before, feedback) => chainFeedback(feedback, before), saved.digest);
      checkStateSeed(payload.seed, seed);
      checkDigest(payload.digest, digest([seed, index], chain));

      rates.set(lists[0]!);
      lastDraws.set(lists[1]!);
      tree.updateAll(Int32Array.from(base.keys()), lists[2]!);
      next = saved.next;
      snapshot = saved;
      feedbacks = [];
      history = saved.digest;
      logged = 0;
      const replay = (end: number) => {
        while (next < end) advance(find(random.uniform(next)));
      };
      for (const feedback of recorded) {
        replay(feedback.next);
        learn(feedback);
      }
      replay(index);
    },
  });
}

/** @throws InvalidArgumentError if `feedback` has no positions or an unknown name, such as `reward`, which would teach nothing. */
function checkedFeedback(feedback: Feedback): Feedback {
  const { positions } = checkOptions(feedback, ['step', 'positions', 'rewards'], 'feedback of curriculum');
  if (Array.isArray(positions) || ArrayBuffer.isView(positions)) return feedback;
  throw new InvalidArgumentError(`feedback needs \`positions\`, one per group, got ${described(positions)}`);
}

function checkOption(name: string, value: number, isValid: boolean, rule: string): void {
  if (!isValid) throw new InvalidArgumentError(`${name} must be ${rule}, got ${value}`);
}
