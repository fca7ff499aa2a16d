import { InvalidWeightsError, NotFiniteError } from '@rarefy/core';
import { effectiveSampleSize } from '@rarefy/density';
import { describe, expect, test } from 'vitest';
import { type Arm, checkArms } from './arm.js';
import { armSets, armsNamed } from './arm-sets.js';
import { armWeights } from './arm-weights.js';

const density = Array.from({ length: 200 }, (_, prompt) => 1 + ((37 * prompt) % 200) / 20);
const armNamed = (name: string): Arm => armSets.rivals.find((arm) => arm.name === name)!;
const essOf = (weights: Float64Array) => effectiveSampleSize(weights) / weights.length;

describe('shipped sets', () => {
  test.each(Object.entries(armSets))(
    '%s is valid, survives JSON and starts with uniform draws',
    (_, arms: readonly Arm[]) => {
      checkArms(arms);
      expect(JSON.parse(JSON.stringify(arms))).toEqual(arms);
      expect(arms[0]!.sampler.kind).toBe('uniform');
      for (const arm of arms) expect(armWeights(arm, density).weights).toHaveLength(200);
    },
  );

  test('the arms of aa differ in their names only', () => {
    const [a, b] = armSets.aa;
    expect({ ...a, name: '' }).toEqual({ ...b, name: '' });
    expect(armWeights(a, density)).toEqual(armWeights(b, density));
  });
});

test('arms by the names of sets and arms, in order and once each', () => {
  const own: Arm = { name: 'mine', sampler: { kind: 'density', targetEss: 0.9 } };
  const names = (given: string[]) => armsNamed(given, [own]).map(({ name }) => name);
  expect(names(['aa'])).toEqual(['uniform-a', 'uniform-b']);
  expect(names(['focal', 'mine', 'uniform', 'focal'])).toEqual(['focal', 'mine', 'uniform']);
  expect(names(['claim', 'rivals'])).toEqual(armSets.rivals.map(({ name }) => name));
  expect(armsNamed(['uniform'], [{ ...own, name: 'uniform' }])[0]!.sampler.kind).toBe('density');
  expect(() => names(['unifrom'])).toThrow('no arm "unifrom"; did you mean "uniform"?');
  expect(() => names(['constructor'])).toThrow('no arm "constructor"; sets are claim, rivals, aa, rm');
});

describe('weights', () => {
  test('uniform arms draw every prompt alike', () => {
    expect(armWeights(armNamed('uniform'), density)).toEqual({
      weights: new Float64Array(200).fill(1),
      importance: 'none',
    });
  });

  test('density-aware arms reach their ESS/N and favor low densities', () => {
    for (const share of [0.5, 0.2]) {
      const { weights, importance } = armWeights(armNamed(`ess-${share}`), density);
      expect(essOf(weights)).toBeCloseTo(share, 9);
      const byDensity = density.map((value, prompt) => [value, weights[prompt]!] as const).sort(([a], [b]) => a - b);
      expect(byDensity.map(([, weight]) => weight)).toEqual([...weights].sort((a, b) => b - a));
      expect(importance).toBe('none');
    }
  });

  test('the placebo has the same weights on other prompts, by seed', () => {
    const aware = armWeights(armNamed('ess-0.2'), density).weights;
    const placebo = (seed: number) => armWeights(armNamed('shuffled-0.2'), density, { seed }).weights;
    expect(placebo(1).slice().sort()).toEqual(aware.slice().sort());
    expect(placebo(1)).toEqual(placebo(1));
    expect(placebo(1)).not.toEqual(placebo(2));
    // Independent of rarity: over 400 seeds, the mean weight of the rarest tenth is that of all, to 4 standard errors.
    const rarest = density.map((value, prompt) => [value, prompt] as const).sort(([a], [b]) => a - b);
    const mean = (weights: Float64Array, prompts: readonly number[]) =>
      prompts.reduce((sum, prompt) => sum + weights[prompt]!, 0) / prompts.length;
    const tenth = rarest.slice(0, 20).map(([, prompt]) => prompt);
    const all = rarest.map(([, prompt]) => prompt);
    const means = Array.from({ length: 400 }, (_, seed) => mean(placebo(seed), tenth));
    const average = means.reduce((sum, value) => sum + value, 0) / 400;
    const deviation = Math.sqrt(means.reduce((sum, value) => sum + (value - average) ** 2, 0) / 399);
    expect(Math.abs(average - mean(aware, all))).toBeLessThan((4 * deviation) / Math.sqrt(400));
    expect(mean(aware, tenth)).toBeGreaterThan(2 * mean(aware, all));
  });

  test('the corrected arm draws as the density-aware one and corrects in full', () => {
    const { weights, importance } = armWeights(armNamed('ess-0.2-corrected'), density);
    expect(weights).toEqual(armWeights(armNamed('ess-0.2'), density).weights);
    expect(importance).toEqual({ beta: 1 });
  });

  test('a reweighted loss has the density-aware distribution as its target', () => {
    const { weights, importance, target } = armWeights(armNamed('uniform-reweighted'), density);
    const aware = armWeights(armNamed('ess-0.2'), density).weights;
    const total = aware.reduce((sum, weight) => sum + weight, 0);
    expect(weights).toEqual(new Float64Array(200).fill(1));
    expect(importance).toEqual({ beta: 1 });
    expect(target).toEqual(aware.map((weight) => weight / total));
  });

  test('a uniform share mixes uniform draws in', () => {
    const arm: Arm = { name: 'mixed', sampler: { kind: 'density', targetEss: 0.2, uniformShare: 0.5 } };
    const { weights } = armWeights(arm, density);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expect(Math.min(...weights) / total).toBeGreaterThanOrEqual(0.5 / 200);
    expect(essOf(weights)).toBeGreaterThan(0.2);
  });

  test('densities that no weights can be made of are refused', () => {
    const arm = armNamed('ess-0.5');
    expect(() => armWeights(arm, [])).toThrow('density must have at least 1 value, got 0');
    expect(() => armWeights(arm, [1, Number.NaN])).toThrow(NotFiniteError);
    expect(() => armWeights(arm, [1, 0, 2])).toThrow(InvalidWeightsError);
    expect(() => armWeights(arm, [1, 1, 1])).toThrow('out of reach');
    expect(() => armWeights(arm, density, { weighing: 3 } as never)).toThrow('did you mean "weighting"?');
  });
});

describe('checks', () => {
  const refused: [string, unknown, string][] = [
    ['no arms', [], 'arms must be a non-empty array'],
    ['equal names', [armSets.aa[0], armSets.aa[0]], 'two arms are named "uniform-a"'],
    ['an unknown field', [{ ...armSets.aa[0], samplers: 1 }], 'did you mean "sampler"?'],
    ['a name that is no folder', [{ ...armSets.aa[0], name: 'A/B' }], 'got "A/B"'],
    ['no sampler', [{ name: 'a' }], 'the sampler of arm "a" is missing'],
    [
      'an unknown sampler',
      [{ name: 'a', sampler: { kind: 'rare' } }],
      'must be one of "uniform", "density", "shuffled", got "rare"',
    ],
    [
      'uniform draws with an ESS',
      [{ name: 'a', sampler: { kind: 'uniform', targetEss: 1 } }],
      'has no option "targetEss"',
    ],
    [
      'no ESS',
      [{ name: 'a', sampler: { kind: 'density' } }],
      'targetEss of arm "a" must be a number in [0, 1], got undefined',
    ],
    ['an ESS of 0', [{ name: 'a', sampler: { kind: 'density', targetEss: 0 } }], 'must be above 0'],
    ['importance of uniform draws', [{ ...armSets.aa[0], importance: 1 }], 'importance corrects nothing'],
    [
      'a reweighted loss of other draws',
      [{ name: 'a', sampler: { kind: 'density', targetEss: 0.5 }, reweightLoss: { targetEss: 0.5 } }],
      "needs the sampler { kind: 'uniform' }",
    ],
    ['an unknown treatment', [{ ...armSets.aa[0], treatment: { kind: 'focal' } }], 'got "focal"'],
    [
      'an option of another treatment',
      [{ ...armSets.aa[0], treatment: { kind: 'completion-density', gamma: 1 } }],
      'no option "gamma"',
    ],
    [
      'a gamma that is no number',
      [{ ...armSets.aa[0], treatment: { kind: 'focal-difficulty', gamma: '1' } }],
      'got "1"',
    ],
    [
      'a negative bonus',
      [{ ...armSets.aa[0], entropyCoef: -1 }],
      'entropyCoef of arm "uniform-a" must be finite and ≥ 0, got -1',
    ],
    [
      'an unknown reward model',
      [{ ...armSets.aa[0], rewardModel: 'rare' }],
      'rewardModel of arm "uniform-a" must be one of',
    ],
    [
      'an estimator that is no name',
      [{ ...armSets.aa[0], estimator: 3 }],
      'estimator of arm "uniform-a" must be a name, got 3',
    ],
  ];

  test.each(refused)('%s', (_, arms, message) => {
    expect(() => checkArms(arms as Arm[])).toThrow(message);
  });
});
