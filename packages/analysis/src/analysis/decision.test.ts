import { counterRandom } from '@rarefy/core';
import { type Arm, armSets, type Departure, measureCatalog } from '@rarefy/experiment';
import { normalQuantile } from '@rarefy/statistics';
import { describe, expect, test } from 'vitest';
import { type ChecksInput, checksOf, type RunFacts } from './checks.js';
import { collapseOf, detectableInDeviations, effectsOf } from './effects.js';
import type { Check } from './report.js';
import type { RunValues } from './run-values.js';
import { verdictOf } from './verdict.js';

const claim: readonly Arm[] = armSets.claim;
const secondary = ['em-dashes', 'vocabulary-ratio', 'reward'];
const measures = ['distinct-good', ...secondary];
const start = {
  'distinct-good': { all: 4 },
  'distinct-2': { all: 4 },
  'em-dashes': { all: 4 },
  'vocabulary-ratio': { all: 4 },
  reward: { all: -1 },
};

interface Setting {
  readonly arms: readonly Arm[];
  readonly seeds: number;
  /** Added to the primary measure of an arm, in standard deviations of a run. */
  readonly effects?: Readonly<Record<string, number>>;
  /** Mean after training of every measure. */
  readonly mean?: number;
  /** Long tails on one side, or normal. */
  readonly isSkewed?: boolean;
}

/** One experiment: a value per run and measure, with standard deviation 1 unless skewed. Measures of a run correlate. */
function simulated(
  experiment: number,
  { arms, seeds, effects = {}, mean = 0, isSkewed = false }: Setting,
): RunValues[] {
  const random = counterRandom(experiment);
  let next = 0;
  const normal = () => normalQuantile(random.uniform(next++) + 2 ** -54);
  const noise = () => (isSkewed ? Math.exp(normal()) - Math.exp(0.5) : normal());
  return arms.flatMap(({ name: arm }) =>
    Array.from({ length: seeds }, (_, seed) => {
      const shared = noise();
      const values = measures.map((measure) => {
        const value = measure === 'distinct-good' ? shared + (effects[arm] ?? 0) : 0.6 * shared + 0.8 * noise();
        return [measure, { all: mean + value }];
      });
      return { arm, seed, values: Object.fromEntries(values) };
    }),
  );
}

const planOf = (arms: readonly Arm[], seeds = 6): ChecksInput['plan'] => ({
  arms,
  seeds: Array.from({ length: seeds }, (_, seed) => seed),
  strata: [],
  primary: 'distinct-good',
  secondary,
  alpha: 0.05,
  power: 0.8,
  gates: {},
});

interface Circumstances {
  readonly treatment?: readonly Check[];
  readonly departures?: readonly Departure[];
  readonly facts?: readonly RunFacts[];
}

/** The way from values to verdict that `analyze` takes. */
function decide(
  runs: readonly RunValues[],
  arms: readonly Arm[],
  { treatment = [], departures = [], facts = [] }: Circumstances = {},
) {
  const plan = planOf(arms);
  const collapse = collapseOf(arms[0]!.name, start, runs);
  const effects = effectsOf({ plan, runs, collapse });
  const checks = [...treatment, ...checksOf({ plan, runs, start, effects, collapse, departures, facts })];
  const verdict = verdictOf({ plan, runs, effects, collapse, checks, departures, measures: measureCatalog });
  return { verdict, effects, checks, collapse };
}

describe('A against A', () => {
  // Of N experiments, a test at level 0.05 rejects 0.05 N with a standard error of √(0.0475 N). Each bound is 4 standard errors
  // above: a valid analysis exceeds it with a probability below 1e-4 (binomial). With 4,000 experiments it is 255, which an
  // analysis that rejects 8 % exceeds with a probability above 0.9999. The seeds are fixed, so the outcome never changes.
  const bound = (experiments: number) => 0.05 * experiments + 4 * Math.sqrt(0.0475 * experiments);

  test.each([{ isSkewed: false }, { isSkewed: true }])(
    'equal arms differ in at most a twentieth of 4,000 experiments (skewed: $isSkewed)',
    ({ isSkewed }) => {
      const kinds = Array.from({ length: 4000 }, (_, experiment) =>
        decide(simulated(experiment, { arms: armSets.aa, seeds: 6, isSkewed }), armSets.aa),
      );
      const found = kinds.filter(({ verdict }) => verdict.kind === 'effect').length;
      expect(kinds.filter(({ verdict }) => verdict.kind === 'cannot-answer')).toEqual([]);
      expect(found).toBeLessThanOrEqual(bound(4000));
      expect(found).toBeGreaterThan(0.05 * 4000 - 4 * Math.sqrt(190)); // and it does reject: 46 of 924 splits
      const inSecondary = kinds.filter(({ effects }) =>
        effects.some(({ family, pHolm }) => family === 'secondary' && pHolm! <= 0.05),
      );
      expect(inSecondary.length).toBeLessThanOrEqual(bound(4000));
    },
  );

  test('six arms of the claim without any effect: at most 5 % of 2,000 experiments find one in any arm', () => {
    const results = Array.from({ length: 2000 }, (_, experiment) =>
      decide(simulated(experiment, { arms: claim, seeds: 6 }), claim),
    );
    expect(results.filter(({ verdict }) => verdict.kind === 'effect').length).toBeLessThanOrEqual(bound(2000));
    for (const family of ['primary', 'secondary']) {
      const any = results.filter(({ effects }) =>
        effects.some((effect) => effect.family === family && effect.pHolm! <= 0.05),
      );
      expect(any.length).toBeLessThanOrEqual(bound(2000));
    }
    // Without the correction, this would fail: some arm has p ≤ 0.05 in about 16 %.
    const uncorrected = results.filter(({ effects }) =>
      effects.some(({ family, p }) => family === 'primary' && p! <= 0.05),
    );
    expect(uncorrected.length).toBeGreaterThan(bound(2000));
  });
});

// The size of detectable effects is compared with simulations to 5 % in statistics/power.test.ts.
describe('a planted effect', () => {
  test('of the detectable size is found in 80 % of 1,000 experiments with two arms', () => {
    const arms = [claim[0]!, claim[2]!];
    const size = detectableInDeviations(6, 6, 0.05, 0.8);
    const found = Array.from({ length: 1000 }, (_, experiment) =>
      decide(simulated(experiment + 5000, { arms, seeds: 6, effects: { 'ess-0.2': size } }), arms),
    ).filter(({ verdict }) => verdict.kind === 'effect' && verdict.headline.includes('higher in ess-0.2'));
    // Standard errors: √(0.8 · 0.2 / 1000) of this count, and of the simulated size with 2,000 experiments. 4 of both: wrong in 1
    // of 15,000.
    const error = Math.hypot(0.4 / Math.sqrt(1000), 0.4 / Math.sqrt(2000));
    expect(Math.abs(found.length / 1000 - 0.8)).toBeLessThan(4 * error);
  });

  test('after Holm over five arms, one of the size for a fifth of the level is found in at least 80 %', () => {
    const size = detectableInDeviations(6, 6, 0.01, 0.8);
    const found = Array.from({ length: 400 }, (_, experiment) =>
      decide(simulated(experiment, { arms: claim, seeds: 6, effects: { 'ess-0.2': size } }), claim),
    ).filter(({ verdict }) => verdict.headline.includes('higher in ess-0.2'));
    const error = Math.hypot(0.4 / Math.sqrt(400), 0.4 / Math.sqrt(2000));
    expect(found.length / 400).toBeGreaterThan(0.8 - 4 * error);
  });

  test('of the other sign is reported as lower', () => {
    const { verdict } = decide(simulated(1, { arms: claim, seeds: 6, effects: { 'ess-0.2': -6 } }), claim);
    expect(verdict.kind).toBe('effect');
    expect(verdict.headline).toContain('lower in ess-0.2');
  });
});

describe('the placebo', () => {
  const verdictWith = (effects: Record<string, number>) =>
    decide(simulated(3, { arms: claim, seeds: 8, effects }), claim).verdict;

  test('that shows the same effect means that concentration explains it', () => {
    const verdict = verdictWith({ 'ess-0.2': 5, 'shuffled-0.2': 5 });
    expect(verdict.kind).toBe('effect');
    expect(verdict.headline).toContain(
      'the placebo shows the same, so that concentration of the draws, not rarity, explains it',
    );
  });

  test('without the effect means that rarity explains it', () => {
    const verdict = verdictWith({ 'ess-0.2': 5 });
    expect(verdict.headline).not.toContain('placebo');
    expect(verdict.findings.join()).toContain('rarity, not concentration of the draws alone, explains the effect');
  });

  test('halfway there means that rarity adds to concentration', () => {
    expect(verdictWith({ 'ess-0.2': 10, 'shuffled-0.2': 5 }).findings.join()).toContain('rarity adds to it');
  });

  test('alone with an effect is no effect of density-aware sampling', () => {
    expect(verdictWith({ 'shuffled-0.2': 5 }).kind).toBe('no-effect-found');
  });
});

describe('what the runs cannot answer', () => {
  const arms = [claim[0]!, claim[2]!];
  const strong = simulated(2, { arms, seeds: 6, effects: { 'ess-0.2': 6 } });
  const digests = { model: 'm', prompts: 'p', heldOut: 'h', code: 'c' };
  const facts = arms.flatMap((arm) =>
    Array.from(
      { length: 6 },
      (_, seed): RunFacts => ({ arm, seed, streamSeed: seed, digests, steps: 40, trainedTokens: 1e5 }),
    ),
  );
  const with6 = (change: Partial<RunFacts>) => facts.map((run, index) => (index >= 6 ? { ...run, ...change } : run));
  const status = (result: ReturnType<typeof decide>, name: string) =>
    result.checks.find((check) => check.name === name)?.status;

  test('as it should be, it is answered', () => {
    const result = decide(strong, arms, { facts });
    expect(result.verdict.kind).toBe('effect');
    expect(result.checks.filter((check) => check.status !== 'ok')).toEqual([]);
  });

  test.each([
    ['a wrong pairing', 'comparability', { facts: with6({ streamSeed: 77 }) }, 'Wrong pairing'],
    [
      'another start model',
      'comparability',
      { facts: with6({ digests: { ...digests, model: 'x' } }) },
      '2 different digests of model',
    ],
    ['fewer steps', 'tokens', { facts: with6({ steps: 30 }) }, 'different numbers of steps: 30 and 40'],
    [
      'a departure: wrong pairing',
      'comparability',
      { departures: [{ kind: 'wrong-pairing', text: 'Seed 3 is mispaired.' }] },
      'Seed 3 is mispaired.',
    ],
    [
      'a departure: fewer tokens',
      'tokens',
      { departures: [{ kind: 'fewer-tokens', text: 'Arm b has 10 % fewer.' }] },
      'Arm b has 10 % fewer.',
    ],
    [
      'a treatment that did not happen',
      'treatment',
      { treatment: [{ name: 'treatment', status: 'failed', text: 'Draws did not move.' }] },
      'Draws did not move.',
    ],
  ] as [string, string, Circumstances, string][])('%s', (_, name, circumstances, text) => {
    const result = decide(strong, arms, circumstances);
    expect(status(result, name)).toBe('failed');
    expect(result.verdict.kind).toBe('cannot-answer');
    expect(result.verdict.headline).toContain(text);
    expect(result.verdict.findings.length).toBeGreaterThan(0);
  });

  test('no collapse of the baseline', () => {
    const result = decide(simulated(2, { arms, seeds: 6, effects: { 'ess-0.2': 6 }, mean: 4 }), arms);
    expect(status(result, 'collapse')).toBe('failed');
    expect(result.verdict.headline).toContain('Training takes nothing away that could be prevented');
  });

  test('two seeds', () => {
    const result = decide(simulated(2, { arms, seeds: 2, effects: { 'ess-0.2': 60 } }), arms);
    expect(result.verdict.kind).toBe('cannot-answer');
    expect(result.verdict.headline).toContain('Two seeds prove nothing');
  });

  test('a run without a value of the primary measure', () => {
    const result = decide(
      strong.map((run, index) => (index === 0 ? { ...run, values: { ...run.values, 'distinct-good': {} } } : run)),
      arms,
    );
    expect(result.verdict.headline).toContain('distinct-good in 1 of 12 runs');
  });

  test('a peek is answered, but flagged in the checks and the limits', () => {
    const departures: Departure[] = [{ kind: 'looked-early', text: 'A report was made after 4 of 12 runs.' }];
    const result = decide(strong, arms, { facts, departures });
    expect(status(result, 'plan')).toBe('warning');
    expect(result.verdict.kind).toBe('effect');
    expect(result.verdict.limits.join()).toContain('looked at before the end');
  });

  test('longer answers in one arm are a warning', () => {
    expect(status(decide(strong, arms, { facts: with6({ trainedTokens: 8e4 }) }), 'tokens')).toBe('warning');
  });

  test('equal arms have streams of their own', () => {
    const streams = facts.map((run, index) => ({ ...run, arm: armSets.aa[index < 6 ? 0 : 1], streamSeed: index }));
    const result = decide(simulated(2, { arms: armSets.aa, seeds: 6 }), armSets.aa, { facts: streams });
    expect(status(result, 'comparability')).toBe('ok');
  });
});

test('the findings name opposite effects in strata before the total, which cancels them', () => {
  const arms = [claim[0]!, claim[2]!];
  const runs = simulated(4, { arms, seeds: 6 }).map((run) => {
    const total = run.values['distinct-good']!.all!;
    const shift = run.arm === 'uniform' ? 0 : 8;
    return {
      ...run,
      values: { ...run.values, 'distinct-good': { head: total + shift, tail: total - shift, all: total } },
    };
  });
  const { verdict, effects } = decide(runs, arms);
  expect(verdict.findings[0]).toContain('Effects are opposite in some strata, so the total cancels them.');
  expect(effects.find(({ stratum }) => stratum === 'head')).toMatchObject({
    family: 'exploratory',
    pHolm: null,
    detectableHolm: null,
  });
});

test('planned tests that could not be made count in the family', () => {
  const arms = [claim[0]!, claim[2]!];
  const runs = simulated(2, { arms, seeds: 6, effects: { 'ess-0.2': 9 } });
  const plan = { ...planOf(arms), secondary: ['reward', 'vendi-prompt', 'mattr'] };
  const [reward] = effectsOf({ plan, runs }).filter(({ measure }) => measure === 'reward');
  expect(reward!.pHolm).toBeCloseTo(Math.min(1, 3 * reward!.p!), 12);
});
