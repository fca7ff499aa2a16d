import {
  counterRandom,
  InvalidWeightsError,
  type IterableSampler,
  iterableSampler,
  type Sampler,
  type SamplerState,
  StateMismatchError,
} from '@rarefy/core';

interface Seeded {
  readonly seed: number;
}

export interface DeckOptions extends Seeded {
  /** Number of epochs; default endless. */
  readonly epochs?: number;
}

/**
 * Draws with replacement from constant weights: a binary search in their cumulative sums.
 * @throws InvalidWeightsError naming the first position whose weight is not a finite number ≥ 0, or if all weights are zero.
 */
export function rouletteSampler(weights: ArrayLike<number>, { seed }: Seeded): IterableSampler {
  const random = counterRandom(seed);
  const ends = new Float64Array(weights.length); // cumulative sums
  let total = 0;
  for (let position = 0; position < ends.length; position++) {
    const weight = weights[position]!;
    if (!(weight >= 0 && weight < Infinity)) {
      throw new InvalidWeightsError(`weight ${weight} at position ${position} must be finite and ≥ 0`);
    }
    ends[position] = total += weight;
  }
  if (total === 0) throw new InvalidWeightsError('all weights are zero, so nothing can be drawn');
  const fingerprint = `roulette-sampler:weights=${Array.from(weights).join(' ')},seed=${seed}`;
  const probability = (position: number) => weights[position]! / total;
  let next = 0;

  /** The first position whose cumulative sum exceeds the target. A position of weight 0 is never the first. */
  const drawOne = () => {
    const target = random.uniform(next++) * total;
    let [low, high] = [0, ends.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  return iterableSampler({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: true, finite: false, adaptive: false },
    draw(count) {
      const first = next;
      const positions = Int32Array.from({ length: count }, drawOne);
      return { positions, probabilities: Float64Array.from(positions, probability), first };
    },
    probabilities: () => Float64Array.from({ length: ends.length }, (_, position) => probability(position)),
    state: () => ({ version: 1, fingerprint, payload: next }),
    restore(state) {
      next = payloadOf<number>(state, fingerprint);
    },
  });
}

/** Draws without replacement: every position once per epoch, in a new random order for each epoch. */
export function deckSampler(size: number, { seed, epochs = Infinity }: DeckOptions): IterableSampler {
  const random = counterRandom(seed);
  const fingerprint = `deck-sampler:size=${size},seed=${seed},epochs=${epochs}`;
  let next = 0;
  const shuffled = (epoch: number) =>
    Array.from({ length: size }, (_, position) => position).sort(
      (a, b) => random.uniform(epoch * size + a) - random.uniform(epoch * size + b),
    );
  return iterableSampler({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: false, finite: epochs < Infinity, adaptive: false },
    draw(count) {
      const first = next;
      next = Math.min(next + count, epochs * size);
      const positions = new Int32Array(next - first);
      let order: number[] = [];
      for (let draw = first; draw < next; draw++) {
        if (draw === first || draw % size === 0) order = shuffled(Math.floor(draw / size));
        positions[draw - first] = order[draw % size]!;
      }
      return { positions, first };
    },
    state: () => ({ version: 1, fingerprint, payload: next }),
    restore(state) {
      next = payloadOf<number>(state, fingerprint);
    },
  });
}

/** Draws with replacement and adapts: the weight of a position is halved whenever its reward is not 0. */
export function learningSampler(size: number, { seed }: Seeded): Sampler {
  const fingerprint = `learning-sampler:size=${size},seed=${seed}`;
  let weights = Array<number>(size).fill(1);
  let next = 0;
  const current = () => {
    const sampler = rouletteSampler(weights, { seed });
    sampler.restore({ ...sampler.state(), payload: next });
    return sampler;
  };
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: true, finite: false, adaptive: true },
    draw(count) {
      const draws = current().draw(count);
      next += count;
      return draws;
    },
    observe({ positions, rewards }) {
      positions.forEach((position, group) => {
        weights[position] = Math.max(weights[position]! * (rewards?.[group] ? 0.5 : 1), 1e-3);
      });
    },
    probabilities: () => current().probabilities!(),
    state: () => ({ version: 1, fingerprint, payload: { next, weights: weights.slice() } }),
    restore(state) {
      const payload = payloadOf<{ next: number; weights: readonly number[] }>(state, fingerprint);
      next = payload.next;
      weights = payload.weights.slice();
    },
  };
}

/** @throws StateMismatchError if the state belongs to another sampler or another version. */
function payloadOf<Payload>({ version, fingerprint, payload }: SamplerState, expected: string): Payload {
  if (version === 1 && fingerprint === expected) return payload as Payload;
  throw new StateMismatchError(`the state is of "${fingerprint}", version ${version}; this sampler is "${expected}"`);
}
