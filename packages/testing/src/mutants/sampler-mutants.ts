import type { Sampler } from '@rarefy/core';
import type { SamplerSubject } from '../checks/sampler-checks.js';
import { deckSampler } from '../reference/deck-sampler.js';
import { rouletteSampler } from '../reference/roulette-sampler.js';
import { samplerMutant as mutant, right, seed, weights } from './broken-sampler.js';
import { altered, identityMutants, type Mutant } from './mutant.js';
import { samplerStateMutants } from './sampler-state-mutants.js';

/** A fault that shows with other weights. */
const fromWeights = (
  name: string,
  caughtBy: string,
  build: (given: Float64Array) => Sampler,
): Mutant<SamplerSubject> => ({ name, caughtBy, subject: { create: right, fromWeights: build } });

/** Positions that follow no more than what `at` says for each number of a draw. */
function scripted(sampler: Sampler, at: (draw: number) => number | undefined): Partial<Sampler> {
  return {
    draw(count) {
      const draws = sampler.draw(count);
      const positions = draws.positions.map((position, draw) => at(draws.first! + draw) ?? position);
      return { positions, first: draws.first! };
    },
  };
}

let created = 0;
let shared = 0;

export const samplerMutants: readonly Mutant<SamplerSubject>[] = [
  ...identityMutants(right),
  mutant('gives 50 at most', 'draws as many positions as asked', ({ draw }) => ({
    draw: (count) => draw(Math.min(count, 50)),
  })),
  mutant(
    'starts again after its end',
    'ends when it says that it ends',
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
  mutant('counts positions from 1', 'draws positions of the data set', (sampler) => ({
    draw(count) {
      const draws = sampler.draw(count);
      return { positions: draws.positions.map((position) => position + 1), first: draws.first! };
    },
  })),
  mutant('draws by eights and throws the rest away', 'is cut into calls without a trace', ({ draw }) => ({
    draw: (count) => ({ positions: draw(Math.ceil(count / 8) * 8).positions.slice(0, count) }),
  })),
  mutant('calls every draw the first', 'numbers its draws', ({ draw }) => ({
    draw: (count) => ({ ...draw(count), first: 0 }),
  })),
  mutant('takes its seed from the clock', 'draws the same twice', (sampler) => {
    const offset = created++;
    return scripted(sampler, (draw) => ((draw + offset) % 10 === 0 ? 0 : undefined));
  }),
  mutant('shares one generator with every other sampler', 'draws apart from other samplers', (sampler) => {
    const start = sampler.state();
    shared = 0; // a new one starts it again
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
  mutant('writes every call into one buffer', 'gives its draws away', ({ draw }) => {
    const buffer = new Int32Array(200_000);
    return {
      draw(count) {
        const draws = draw(count);
        buffer.set(draws.positions);
        return { ...draws, positions: buffer.subarray(0, count) };
      },
    };
  }),
  mutant('puts positions back that it says it keeps', 'repeats no position before all have come', () => ({
    capabilities: { replacement: false, finite: false, adaptive: false },
  })),
  mutant('returns weights for probabilities', 'has probabilities that sum to 1', ({ probabilities }) => ({
    probabilities: () => probabilities!().map((chance) => 10 * chance),
  })),
  mutant('tells the chance of a uniform draw', 'tells the chance that each draw had', ({ draw }) => ({
    draw: (count) => ({ ...draw(count), probabilities: new Float64Array(count).fill(1 / weights.length) }),
  })),
  mutant(
    'draws position 0 once in 50 draws, whatever the weights say',
    'draws as often as its probabilities say',
    (sampler) => scripted(sampler, (draw) => (draw % 50 === 0 ? 0 : undefined)),
  ),
  fromWeights('rounds in favour of later positions', 'draws equal weights equally often', (given) =>
    rouletteSampler(
      given.map((weight, position) => weight * (1 + position / 200)),
      { seed },
    ),
  ),
  fromWeights('adds an epsilon to every weight', 'never draws a weight of zero', (given) =>
    rouletteSampler(
      given.map((weight) => weight + 0.01),
      { seed },
    ),
  ),
  fromWeights('names itself by size and seed alone', 'has another fingerprint for other weights', (given) =>
    altered(rouletteSampler(given, { seed }), { fingerprint: `roulette-sampler:size=${given.length},seed=${seed}` }),
  ),
  fromWeights('takes what is no weight for zero', 'refuses weights that are none', (given) =>
    rouletteSampler(
      given.map((weight) => (weight >= 0 && weight < Infinity ? weight : 0)),
      { seed },
    ),
  ),
  fromWeights(
    'walks along the weights for every draw',
    'draws from many positions nearly as fast as from few',
    (given) => {
      const sampler = rouletteSampler(given, { seed });
      return altered(sampler, {
        draw(count) {
          const draws = sampler.draw(count);
          for (const _ of draws.positions) given.reduce((sum, weight) => sum + weight, 0);
          return draws;
        },
      });
    },
  ),
  ...samplerStateMutants,
];
