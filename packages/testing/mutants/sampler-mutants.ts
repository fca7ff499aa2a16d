import type { IterableSampler, Sampler, SamplerState } from '@rarefy/core';
import { deckSampler, learningSampler, rouletteSampler } from '../src/reference/samplers.js';
import type { SamplerSubject } from '../src/subjects.js';
import { altered, identityMutants, type Mutant, returning } from './mutant.js';

const weights = [4, 0, 1, 2, 3];
const seed = 3;
const right = () => rouletteSampler(weights, { seed });

type Change = (sampler: Sampler) => Partial<IterableSampler>;

/** A sampler with some members replaced. */
const mutant = (
  name: string,
  caughtBy: string,
  change: Change,
  base: () => Sampler = right,
): Mutant<SamplerSubject> => ({
  name,
  caughtBy,
  subject: {
    create() {
      const sampler = base();
      return altered<Sampler>(sampler, change(sampler));
    },
  },
});

/** A fault that appears only with other weights. */
const fromWeights = (
  name: string,
  caughtBy: string,
  build: (given: Float64Array) => Sampler,
): Mutant<SamplerSubject> => ({ name, caughtBy, subject: { create: right, fromWeights: build } });

/** Replaces the position of draw n by `change(n)`, if that is not undefined. */
function scripted(sampler: Sampler, change: (draw: number) => number | undefined): Partial<Sampler> {
  return {
    draw(count) {
      const draws = sampler.draw(count);
      const positions = draws.positions.map((position, draw) => change(draws.first! + draw) ?? position);
      return { positions, first: draws.first! };
    },
  };
}

const learning = () => learningSampler(8, { seed });

/** A sampler that counts its own draws, so that `state` and `restore` can be broken. */
function counting(
  resumed: (saved: number, counts: { start: number; drawn: number }) => void,
  saved: (counts: { start: number; drawn: number }) => number,
): Change {
  return (sampler) => {
    const counts = { start: 0, drawn: 0 };
    const state = (payload: number): SamplerState => ({ version: 1, fingerprint: sampler.fingerprint, payload });
    return {
      draw(count) {
        sampler.restore(state(counts.start + counts.drawn));
        counts.drawn += count;
        return sampler.draw(count);
      },
      state: () => state(saved(counts)),
      restore(given) {
        sampler.restore(given);
        resumed(given.payload as number, counts);
      },
    };
  };
}

let created = 0;
let shared = 0;

export const samplerMutants: readonly Mutant<SamplerSubject>[] = [
  ...identityMutants(right),
  returning(right, 'draw', async () => right().draw(1)),
  { ...returning(right, 'draw', () => ({ positions: [0] })), name: 'returns positions in a plain array' },
  mutant('returns at most 50 draws', 'returns as many draws as requested', ({ draw }) => ({
    draw: (count) => draw(Math.min(count, 50)),
  })),
  mutant(
    'starts again after its end',
    'ends if it declares a finite stream',
    (sampler) => {
      const start = sampler.state();
      return {
        draw(count) {
          const draws = sampler.draw(count);
          if (draws.positions.length < count) sampler.restore(start);
          return draws;
        },
      };
    },
    () => deckSampler(10, { seed, epochs: 2 }),
  ),
  mutant('counts positions from 1', 'draws only positions of the data set', (sampler) => ({
    draw(count) {
      const draws = sampler.draw(count);
      return { positions: draws.positions.map((position) => position + 1), first: draws.first! };
    },
  })),
  mutant('draws eight at a time and drops the rest', 'gives the same draws for any split into calls', ({ draw }) => ({
    draw: (count) => ({ positions: draw(Math.ceil(count / 8) * 8).positions.slice(0, count) }),
  })),
  mutant('numbers every draw 0', 'numbers its draws consecutively', ({ draw }) => ({
    draw: (count) => ({ ...draw(count), first: 0 }),
  })),
  mutant('has a new seed for every sampler', 'gives the same draws for the same seed', (sampler) => {
    const offset = created++;
    return scripted(sampler, (draw) => ((draw + offset) % 10 === 0 ? 0 : undefined));
  }),
  mutant('shares a random generator with other samplers', 'is independent of other samplers', (sampler) => {
    const start = sampler.state();
    shared = 0; // every new sampler resets it
    return {
      draw(count) {
        sampler.restore({ ...start, payload: shared });
        shared += count;
        return sampler.draw(count);
      },
      state: () => ({ ...start, payload: shared }),
      restore(state) {
        sampler.restore(state);
        shared = state.payload as number;
      },
    };
  }),
  mutant('writes every call to the same buffer', 'does not reuse the arrays that it returns', ({ draw }) => {
    const buffer = new Int32Array(200_000);
    return {
      draw(count) {
        const draws = draw(count);
        buffer.set(draws.positions);
        return { ...draws, positions: buffer.subarray(0, count) };
      },
    };
  }),
  mutant('returns its own array of probabilities', 'does not reuse the arrays that it returns', (sampler) => {
    const own = sampler.probabilities!();
    return { probabilities: () => own };
  }),
  mutant('draws with replacement but declares the opposite', 'draws every position once per epoch', () => ({
    capabilities: { replacement: false, finite: false, adaptive: false },
  })),
  mutant('returns weights as probabilities', 'has probabilities that sum to 1', ({ probabilities }) => ({
    probabilities: () => probabilities!().map((probability) => 10 * probability),
  })),
  mutant('reports the probability of a uniform draw', 'reports the probability of each draw', ({ draw }) => ({
    draw: (count) => ({ ...draw(count), probabilities: new Float64Array(count).fill(1 / weights.length) }),
  })),
  mutant(
    'draws position 0 every 50 draws, whatever its weight',
    'draws each position as often as its probability says',
    (sampler) => scripted(sampler, (draw) => (draw % 50 === 0 ? 0 : undefined)),
  ),
  fromWeights('favors later positions slightly', 'draws equal weights equally often', (given) =>
    rouletteSampler(
      given.map((weight, position) => weight * (1 + position / 200)),
      { seed },
    ),
  ),
  fromWeights('draws by the square root of the weights', 'draws in proportion to the weights', (given) =>
    rouletteSampler(given.map(Math.sqrt), { seed }),
  ),
  fromWeights('draws each epoch in an order that ignores the weights', 'draws in proportion to the weights', (given) =>
    given.length < 100 ? deckSampler(given.length, { seed }) : rouletteSampler(given, { seed }),
  ),
  mutant('draws ahead in a loop', 'iterates over its own draws', (sampler) => ({
    *[Symbol.iterator]() {
      for (;;) yield* sampler.draw(2).positions;
    },
  })),
  fromWeights('adds an epsilon to every weight', 'never draws a position of weight 0', (given) =>
    rouletteSampler(
      given.map((weight) => weight + 0.01),
      { seed },
    ),
  ),
  fromWeights('omits the weights from its fingerprint', 'has a different fingerprint for different weights', (given) =>
    altered(rouletteSampler(given, { seed }), { fingerprint: `roulette-sampler:size=${given.length},seed=${seed}` }),
  ),
  fromWeights('replaces invalid weights by 0', 'rejects invalid weights', (given) =>
    rouletteSampler(
      given.map((weight) => (weight >= 0 && weight < Infinity ? weight : 0)),
      { seed },
    ),
  ),
  fromWeights('reads all weights for every draw', 'draws in sublinear time', (given) => {
    const sampler = rouletteSampler(given, { seed });
    return altered(sampler, {
      draw(count) {
        const draws = sampler.draw(count);
        for (const _ of draws.positions) given.reduce((sum, weight) => sum + weight, 0);
        return draws;
      },
    });
  }),
  mutant('ignores the state that it restores', 'resumes from any state after a JSON round trip', () => ({
    restore() {},
  })),
  mutant(
    'counts draws from its last resume',
    'resumes repeatedly',
    counting(
      (saved, counts) => Object.assign(counts, { start: saved, drawn: 0 }),
      ({ start, drawn }) => (drawn === 0 ? start : drawn),
    ),
  ),
  mutant(
    'adds earlier draws to the restored count',
    'restores an earlier state of its own',
    counting(
      (saved, counts) => Object.assign(counts, { start: saved }),
      ({ start, drawn }) => start + drawn,
    ),
  ),
  mutant('returns its own state object', 'does not change a state after returning it', (sampler) => {
    const living = { ...sampler.state() };
    return {
      draw(count) {
        const draws = sampler.draw(count);
        Object.assign(living, sampler.state());
        return draws;
      },
      state: () => living,
      restore(saved) {
        sampler.restore(saved);
        Object.assign(living, sampler.state());
      },
    };
  }),
  mutant('keeps every draw in its state', 'has a state of constant size', (sampler) => {
    let history: number[] = [];
    return {
      draw(count) {
        const draws = sampler.draw(count);
        history.push(...draws.positions);
        return draws;
      },
      state: () => ({ ...sampler.state(), payload: [sampler.state().payload, ...history] }),
      restore(state) {
        const [drawn, ...earlier] = state.payload as number[];
        sampler.restore({ ...state, payload: drawn });
        history = earlier;
      },
    };
  }),
  mutant('accepts any state', 'rejects the state of another sampler', (sampler) => ({
    restore: ({ payload }) => sampler.restore({ ...sampler.state(), payload }),
  })),
  mutant('takes over a state before it rejects it', 'rejects the state of another sampler', (sampler) => ({
    restore(state) {
      sampler.restore({ ...sampler.state(), payload: state.payload });
      sampler.restore(state);
    },
  })),
  mutant('ignores the feedback', 'adapts to feedback exactly if it declares to', () => ({ observe() {} }), learning),
  mutant(
    'overwrites the last batch on feedback',
    'does not change earlier draws and states on feedback',
    (sampler) => {
      let last = new Int32Array();
      return {
        draw(count) {
          const draws = sampler.draw(count);
          last = draws.positions as Int32Array<ArrayBuffer>;
          return draws;
        },
        observe(feedback) {
          sampler.observe!(feedback);
          last.fill(0);
        },
      };
    },
    learning,
  ),
  mutant(
    'saves its draw count but not what it has learned',
    'restores what it has learned',
    (sampler) => {
      const untaught = (sampler.state().payload as { weights: number[] }).weights;
      return {
        state() {
          const state = sampler.state();
          return { ...state, payload: { ...(state.payload as object), weights: untaught } };
        },
      };
    },
    learning,
  ),
  mutant(
    'centers the rewards in place',
    'does not modify the feedback',
    (sampler) => ({
      observe(feedback) {
        sampler.observe!(feedback);
        feedback.rewards?.forEach((reward, group) => {
          feedback.rewards![group] = reward - 0.5;
        });
      },
    }),
    learning,
  ),
];
