import { InvalidWeightsError, type Sampler } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureFailsWith } from '../ensure.js';
import { ensureFrequencies } from '../ensure-frequencies.js';
import { costRatio } from './cost-ratio.js';
import type { SamplerSubject } from './sampler-checks.js';

const walk = 40;

/** How often each position comes. */
export function samplerLawChecks({ fromWeights }: SamplerSubject): ComponentCheck<Sampler>[] {
  const withProbabilities = {
    capability: 'probabilities',
    met: ({ probabilities }: Sampler) => probabilities !== undefined,
  };
  const withWeights = { capability: 'fromWeights in the subject', met: () => fromWeights !== undefined };
  return [
    {
      name: 'has probabilities that sum to 1',
      why: 'Importance weights divide by them.',
      requires: withProbabilities,
      async run({ create }) {
        const probabilities = (await create()).probabilities!();
        const bad = probabilities.findIndex((probability) => !(probability >= 0 && probability <= 1));
        ensure(bad < 0, `probability ${probabilities[bad]} at position ${bad}`);
        const sum = probabilities.reduce((total, probability) => total + probability, 0);
        ensure(Math.abs(sum - 1) < 1e-9, `probabilities sum to ${sum}`);
      },
    },
    {
      name: 'tells the chance that each draw had',
      why: 'Propensity correction with a wrong chance is a silent bias.',
      requires: withProbabilities,
      async run({ create }) {
        const sampler = await create();
        for (let draw = 0; draw < walk; draw++) {
          const chances = sampler.probabilities!();
          const { positions, probabilities } = sampler.draw(1);
          if (positions.length === 0 || probabilities === undefined) return;
          const chance = chances[positions[0]!];
          ensure(chance !== undefined, `position ${positions[0]} is outside [0, ${chances.length})`);
          const difference = Math.abs(probabilities[0]! - chance);
          ensure(difference <= 1e-9 * chance, `draw ${draw} tells ${probabilities[0]} and had the chance ${chance}`);
        }
      },
    },
    {
      name: 'draws as often as its probabilities say',
      why: 'The claim under test is a difference of draw frequencies.',
      requires: {
        capability: 'probabilities that stay, with replacement',
        met: hasSteadyChances,
      },
      async run({ create }) {
        const sampler = await create();
        const probabilities = sampler.probabilities!();
        ensureFrequencies(sampler.draw(Math.max(100_000, 20 * probabilities.length)).positions, probabilities);
      },
    },
    {
      name: 'draws equal weights equally often',
      why: 'The uniform arm of an experiment must be uniform.',
      requires: {
        capability: 'fromWeights in the subject, and draws with replacement that stay',
        met: (sampler) => fromWeights !== undefined && hasSteadyChances(sampler),
      },
      async run() {
        const sampler = await fromWeights!(new Float64Array(37).fill(0.3));
        ensureFrequencies(sampler.draw(100_000).positions, new Float64Array(37).fill(1 / 37));
      },
    },
    {
      name: 'never draws a weight of zero',
      why: 'A prompt that was taken out of the data must not come back.',
      requires: withWeights,
      async run() {
        const weights = Float64Array.of(0, 3, 0, 1e-9, 0, 1, 0, 0);
        const sampler = await fromWeights!(weights);
        for (let call = 0; call < 10_000; call++) {
          const [position] = sampler.draw(1).positions;
          if (position === undefined) return;
          ensure(weights[position]! > 0, `position ${position} has weight ${weights[position]} and was drawn`);
        }
      },
    },
    {
      name: 'has another fingerprint for other weights',
      why: 'Whoever compares two runs by it takes them for the same experiment.',
      requires: withWeights,
      async run() {
        const one = await fromWeights!(Float64Array.of(1, 2, 3));
        const other = await fromWeights!(Float64Array.of(1, 2, 3 + 2 ** -50));
        ensure(one.fingerprint !== other.fingerprint, `samplers of other weights share "${one.fingerprint}"`);
      },
    },
    {
      name: 'refuses weights that are none',
      why: 'One NaN weight makes every later draw the same prompt, and the run goes on.',
      requires: withWeights,
      async run() {
        const build = (...weights: number[]) =>
          ensureFailsWith(
            async () => fromWeights!(Float64Array.from(weights)),
            InvalidWeightsError,
            `the weights [${weights}]`,
          );
        for (const bad of [Number.NaN, -1, Infinity]) {
          const message = await build(1, 3, bad, bad);
          ensure(/\b2\b/.test(message), `the error for ${bad} at position 2 does not name it: ${message}`);
        }
        await build(0, 0, 0);
      },
    },
    {
      name: 'draws from many positions nearly as fast as from few',
      why: 'A sampler that looks at every weight for every draw stops the loop at a million prompts.',
      requires: withWeights,
      async run() {
        const [few, many] = [1_000, 64_000];
        const sampler = async (size: number) =>
          fromWeights!(Float64Array.from({ length: size }, (_, position) => 1 + (position % 7)));
        const ratio = costRatio(await sampler(few), await sampler(many));
        ensure(
          ratio < 10,
          `a draw from ${many} positions takes ${ratio.toFixed(0)} times as long as one from ${few}; ${many / few} would be linear`,
        );
      },
    },
  ];
}

/** Whether draws are independent, with the chances that `probabilities` tells, as far as the sampler and a few draws say. */
function hasSteadyChances(sampler: Sampler): boolean {
  const { replacement, adaptive, finite } = sampler.capabilities;
  if (!replacement || adaptive || finite || !sampler.probabilities) return false;
  const before = sampler.probabilities();
  sampler.draw(3);
  const after = sampler.probabilities();
  return before.every((chance, position) => chance === after[position]);
}
