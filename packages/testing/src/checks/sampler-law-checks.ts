import { InvalidWeightsError, type Sampler } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureFailsWith } from '../ensure.js';
import { needed } from '../subject-members.js';
import type { SamplerSubject } from '../subjects.js';

const length = 40; // draws whose probabilities are compared

/** How often each position is drawn. */
export function samplerLawChecks({ fromWeights: make }: SamplerSubject): ComponentCheck<Sampler>[] {
  const fromWeights = make && ((weights: Float64Array) => make(weights, 3));
  const given = needed('sampler', 'fromWeights');
  const hasProbabilities = {
    capability: 'probabilities',
    met: ({ probabilities }: Sampler) => probabilities !== undefined,
  };
  const hasWeights = { capability: given, met: () => fromWeights !== undefined };
  return [
    {
      name: 'has probabilities that sum to 1',
      why: 'Importance weights divide by them.',
      requires: hasProbabilities,
      async run({ create }) {
        const probabilities = (await create()).probabilities!();
        const bad = probabilities.findIndex((probability) => !(probability >= 0 && probability <= 1));
        ensure(bad < 0, `expected probabilities in [0, 1], got ${probabilities[bad]} at position ${bad}`);
        const sum = probabilities.reduce((total, probability) => total + probability, 0);
        ensure(Math.abs(sum - 1) < 1e-9, `expected probabilities with sum 1, got ${sum}`);
      },
    },
    {
      name: 'reports the probability of each draw',
      why: 'Propensity correction with a wrong probability is a silent bias.',
      requires: hasProbabilities,
      async run({ create }) {
        const sampler = await create();
        for (let draw = 0; draw < length; draw++) {
          const all = sampler.probabilities!();
          const { positions, probabilities } = sampler.draw(1);
          if (positions.length === 0 || probabilities === undefined) return;
          const expected = all[positions[0]!];
          ensure(expected !== undefined, `expected a position in [0, ${all.length}), got ${positions[0]}`);
          const isClose = Math.abs(probabilities[0]! - expected) <= 1e-9 * expected;
          ensure(isClose, `expected the probability of draw ${draw} to be ${expected}, got ${probabilities[0]}`);
        }
      },
    },
    {
      name: 'draws each position as often as its probability says',
      why: 'The experiment compares how often prompts are drawn.',
      requires: { capability: 'constant probabilities, with replacement', met: hasConstantProbabilities },
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
        capability: `constant probabilities with replacement, and ${given}`,
        met: (sampler) => fromWeights !== undefined && hasConstantProbabilities(sampler),
      },
      async run() {
        const sampler = await fromWeights!(new Float64Array(37).fill(0.3));
        ensureFrequencies(sampler.draw(100_000).positions, new Float64Array(37).fill(1 / 37));
      },
    },
    {
      name: 'draws in proportion to the weights',
      why: 'A sampler that follows the square roots of the weights looks right and undoes most of the treatment.',
      requires: {
        capability: `an endless stream that does not adapt, and ${given}`,
        met: ({ capabilities }) => fromWeights !== undefined && !capabilities.finite && !capabilities.adaptive,
      },
      async run() {
        const weights = Float64Array.of(1, 2, 4, 8, 16, 32);
        const expected = weights.map((weight) => weight / 63);
        const sampler = await fromWeights!(weights);
        if (sampler.capabilities.replacement) {
          ensureFrequencies(sampler.draw(100_000).positions, expected);
          return;
        }
        // Without replacement, the first draw of each epoch follows the weights.
        const { positions } = sampler.draw(10_000 * weights.length);
        ensureFrequencies(
          positions.filter((_, draw) => draw % weights.length === 0),
          expected,
        );
      },
    },
    {
      name: 'never draws a position of weight 0',
      why: 'A prompt that was removed from the data must not come back.',
      requires: hasWeights,
      async run() {
        const weights = Float64Array.of(0, 3, 0, 1e-9, 0, 1, 0, 0);
        const sampler = await fromWeights!(weights);
        for (let call = 0; call < 10_000; call++) {
          const [position] = sampler.draw(1).positions;
          if (position === undefined) return;
          ensure(weights[position]! > 0, `position ${position} has weight ${weights[position]}, but was drawn`);
        }
      },
    },
    {
      name: 'has a different fingerprint for different weights',
      why: 'Two runs with the same fingerprint count as the same experiment.',
      requires: hasWeights,
      async run() {
        const one = await fromWeights!(Float64Array.of(1, 2, 3));
        const other = await fromWeights!(Float64Array.of(1, 2, 3 + 2 ** -50));
        const isDifferent = one.fingerprint !== other.fingerprint;
        ensure(isDifferent, `samplers with different weights share the fingerprint "${one.fingerprint}"`);
      },
    },
    {
      name: 'rejects invalid weights',
      why: 'With a NaN weight, every later draw can be the same prompt, and the run goes on.',
      requires: hasWeights,
      async run() {
        const attempt = (...weights: number[]) =>
          ensureFailsWith(
            async () => fromWeights!(Float64Array.from(weights)),
            InvalidWeightsError,
            `the weights [${weights}]`,
          );
        for (const bad of [Number.NaN, -1, Infinity]) {
          const message = await attempt(1, 3, bad, bad);
          ensure(/\b2\b/.test(message), `the error for weight ${bad} at position 2 does not name it: "${message}"`);
        }
        await attempt(0, 0, 0);
      },
    },
    {
      name: 'draws in sublinear time',
      why: 'If every draw reads every weight, sampling from a million prompts slows down training.',
      requires: hasWeights,
      async run() {
        const [few, many] = [1_000, 64_000];
        const sampler = async (size: number) =>
          fromWeights!(Float64Array.from({ length: size }, (_, position) => 1 + (position % 7)));
        const ratio = costRatio(await sampler(few), await sampler(many));
        const seen = `a draw from ${many} positions takes ${ratio.toFixed(0)} times as long as one from ${few}`;
        ensure(
          ratio < 10,
          `${seen}, but must take less than 10 times as long; linear time would be ${many / few} times`,
        );
      },
    },
  ];
}

/** Whether draws are independent and their probabilities constant, as far as the capabilities and a few draws show. */
function hasConstantProbabilities(sampler: Sampler): boolean {
  const { replacement, adaptive, finite } = sampler.capabilities;
  if (!replacement || adaptive || finite || !sampler.probabilities) return false;
  const before = sampler.probabilities();
  sampler.draw(3);
  const after = sampler.probabilities();
  return before.every((probability, position) => probability === after[position]);
}

/**
 * Pearson's chi-square test of independent draws against their probabilities. Positions with fewer than 5 expected draws are
 * pooled.
 * @throws Error if the test rejects at level 1e-6.
 */
function ensureFrequencies(positions: Int32Array, probabilities: Float64Array): void {
  const counts = new Float64Array(probabilities.length);
  for (const position of positions) counts[position]!++;
  const pooled = { count: 0, expected: 0 };
  const cells: { count: number; expected: number }[] = [];
  probabilities.forEach((probability, position) => {
    const count = counts[position]!;
    const expected = positions.length * probability;
    ensure(probability > 0 || count === 0, `position ${position} has probability 0, but was drawn ${count} times`);
    if (expected >= 5) {
      cells.push({ count, expected });
    } else {
      pooled.count += count;
      pooled.expected += expected;
    }
  });
  if (pooled.expected >= 5) cells.push(pooled);
  const freedom = cells.length - 1;
  if (freedom < 1) return;
  const statistic = cells.reduce((sum, { count, expected }) => sum + (count - expected) ** 2 / expected, 0);
  const spread = 2 / (9 * freedom);
  const limit = freedom * (1 - spread + 4.76 * Math.sqrt(spread)) ** 3; // Wilson-Hilferty; P(z > 4.76) = 1e-6
  const share = (values: Float64Array, sum: number) =>
    Array.from(values, (value) => (value / sum).toFixed(4)).slice(0, 10);
  const seen = `shares of ${positions.length} draws are ${share(counts, positions.length).join(', ')}`;
  const due = `expected ${share(probabilities, 1).join(', ')}${counts.length > 10 ? ', …' : ''}`;
  ensure(statistic <= limit, `${due}, but ${seen} (chi-square ${statistic.toFixed(1)}, limit ${limit.toFixed(1)})`);
}

/**
 * Time of a draw from `other`, divided by the time of a draw from `base`: the fastest of 15 interleaved rounds each. Other
 * processes make a round slower but never faster, so this ratio is stable on a busy machine.
 */
function costRatio(base: Sampler, other: Sampler): number {
  const fastest = [Infinity, Infinity];
  for (let round = 0; round < 15; round++) {
    for (const [index, sampler] of [base, other].entries()) {
      const started = performance.now();
      for (let call = 0; call < 50; call++) sampler.draw(1); // one by one, to count work per call as well as per draw
      fastest[index] = Math.min(fastest[index]!, performance.now() - started);
    }
  }
  return fastest[1]! / fastest[0]!;
}
