import { counterRandom, type Draws, digest, type Feedback, InvalidArgumentError, type Sampler } from '@rarefy/core';
import {
  type CurriculumSnapshot,
  chainFeedback,
  type RecordedFeedback,
  readFeedback,
  readSnapshot,
  takeSnapshot,
} from './curriculum-state.js';
import { checkDigest, checkSeed, payloadOf, readIndex } from './sampler-state.js';
import { checkCount } from './structures/check-count.js';
import { checkedWeight } from './structures/check-weight.js';
import { sumTree } from './structures/sum-tree.js';

export interface CurriculumOptions {
  /** Any safe integer. Draw n depends on the seed, n and the feedback before it alone. */
  readonly seed: number;
  /** Share of the draws that are uniform over the positions of weight above 0, in (0, 1]; default 0.1. */
  readonly floor?: number;
  /** Largest factor by which difficulty and staleness raise a weight; ≥ 1, default 10. */
  readonly cap?: number;
  /** What the factor of staleness grows by when as many draws have passed as there are positions; ≥ 0, default 1. */
  readonly staleness?: number;
  /** Share of the newest pass rate in a position's running one, in (0, 1]; default 0.5. */
  readonly smoothing?: number;
  /** From a group's mean reward to its pass rate in [0, 1]; default the reward, limited to [0, 1]. */
  readonly passRate?: (reward: number) => number;
  /** First part of the fingerprint, in which a `passRate` of your own should show; default `curriculum`. */
  readonly name?: string;
}

/** Draws with replacement what is rare, neither solved nor hopeless, and long not seen. */
export interface Curriculum extends Sampler {
  draw(count: number): Required<Omit<Draws, 'version'>>;
  observe(feedback: Feedback): void;
  probabilities(): Float64Array;
  /** Running pass rate of each position; 0.5 before its first feedback. */
  passRates(): Float64Array;
}

/**
 * Weight × difficulty × staleness. Difficulty is 4 p (1 - p) of the running pass rate p: where all completions of a group succeed,
 * or all fail, GRPO learns nothing. Staleness grows with the draws since a position was last drawn; it is brought up to date for
 * one position a draw, in turn, so that no draw costs more than O(log n).
 *
 * No prompt starves: every position of weight above 0 has at least the chance floor / n at every draw, whatever the feedback. The
 * state is a snapshot, taken anew every n draws or as many groups of feedback, and the feedback since.
 * @param weights one a position, usually the inverse density; finite and ≥ 0, not all zero; copied
 * @throws InvalidWeightsError naming the first bad position; InvalidArgumentError for a bad option.
 */
export function curriculum(
  weights: ArrayLike<number>,
  {
    seed,
    floor = 0.1,
    cap = 10,
    staleness = 1,
    smoothing = 0.5,
    passRate = (reward) => Math.min(1, Math.max(0, reward)),
    name = 'curriculum',
  }: CurriculumOptions,
): Curriculum {
  checkOption('floor', floor, floor > 0 && floor <= 1, 'in (0, 1]');
  checkOption('cap', cap, cap >= 1 && cap < Infinity, 'finite and ≥ 1');
  checkOption('staleness', staleness, staleness >= 0 && staleness < Infinity, 'finite and ≥ 0');
  checkOption('smoothing', smoothing, smoothing > 0 && smoothing <= 1, 'in (0, 1]');
  const random = counterRandom(seed);
  const base = Float64Array.from(weights).map((weight) => weight + 0);
  const tree = sumTree(base);
  tree.find(0); // refuses weights that are all zero
  for (const [position, weight] of base.entries()) checkedWeight(weight * cap, position); // the most that it may become
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
  /** Chance of a position at the next draw. */
  const chance = (position: number) => {
    if (base[position] === 0) return 0;
    if (!(tree.total > 0)) return 1 / possible.length; // all solved or hopeless
    return floor / possible.length + ((1 - floor) * tree.weight(position)) / tree.total;
  };
  const find = (uniform: number) => {
    const share = tree.total > 0 ? floor : 1;
    if (uniform >= share) return tree.find((uniform - share) / (1 - share));
    return possible[Math.min(possible.length - 1, Math.floor((uniform / share) * possible.length))]!;
  };
  /** One draw, with what it changes. */
  const drawNext = () => {
    const position = find(random.uniform(next));
    refreshAfter(position);
    return position;
  };
  const refreshAfter = (position: number) => {
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

  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: true, finite: false, adaptive: true },
    draw(count) {
      checkCount(count);
      const first = next;
      const positions = new Int32Array(count);
      const probabilities = new Float64Array(count);
      for (let draw = 0; draw < count; draw++) {
        const position = find(random.uniform(next));
        positions[draw] = position;
        probabilities[draw] = chance(position);
        refreshAfter(position);
        if (next - snapshot.next >= snapshotEvery) renewSnapshot();
      }
      return { positions, probabilities, first };
    },
    observe({ positions, rewards }) {
      if (!rewards) return;
      if (rewards.length !== positions.length) {
        throw new InvalidArgumentError(`feedback has ${positions.length} positions and ${rewards.length} rewards`);
      }
      const passRates = Array.from(rewards, (reward) => passRate(reward) + 0);
      for (const [group, position] of positions.entries()) {
        const rate = passRates[group]!;
        if (!(Number.isInteger(position) && position >= 0 && position < size)) {
          throw new InvalidArgumentError(`feedback is about position ${position}, which is not in [0, ${size})`);
        }
        if (!(rate >= 0 && rate <= 1)) {
          throw new InvalidArgumentError(
            `the pass rate of reward ${rewards[group]} at position ${position} is ${rate} and must be in [0, 1]; give a passRate that maps it there`,
          );
        }
      }
      learn(
        Object.freeze({ next, positions: Object.freeze(Array.from(positions)), passRates: Object.freeze(passRates) }),
      );
    },
    probabilities: () => base.map((_, position) => chance(position)),
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
      const learnt = readFeedback(payload.feedback, size);
      const chain = learnt.reduce((before, feedback) => chainFeedback(feedback, before), saved.digest);
      checkSeed(payload.seed, seed);
      checkDigest(payload.digest, digest([seed, index], chain));

      rates.set(lists[0]!);
      lastDraws.set(lists[1]!);
      tree.updateAll(Int32Array.from(base.keys()), lists[2]!);
      next = saved.next;
      snapshot = saved;
      feedbacks = [];
      history = saved.digest;
      logged = 0;
      for (const feedback of learnt) {
        while (next < feedback.next) drawNext();
        learn(feedback);
      }
      while (next < index) drawNext();
    },
  };
}

function checkOption(name: string, value: number, isRight: boolean, rule: string): void {
  if (!isRight) throw new InvalidArgumentError(`${name} must be ${rule}, got ${value}`);
}
