import { ShapeError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { armSets } from '../arms/arm-sets.js';
import { armWeights } from '../arms/arm-weights.js';
import { type ArmDraws, decileShares, verifyTreatment } from './treatment.js';

describe('shares of tenths', () => {
  test('the rarest tenth comes first', () => {
    const commonness = [3, 1, 2, 10, 9, 8, 7, 6, 5, 4];
    const draws = [0, 5, 3, 0, 0, 0, 0, 0, 0, 2];
    expect(decileShares(draws, commonness)).toEqual([0.5, 0.3, 0, 0.2, 0, 0, 0, 0, 0, 0]);
  });

  test('equally common prompts share their draws, and borders split a prompt', () => {
    expect(decileShares([9, 1, 0, 0], [2, 2, 2, 2])).toEqual(new Array(10).fill(expect.closeTo(0.1, 12)));
    // Each of four prompts covers two and a half tenths.
    const expected = [0.4, 0.4, 0.2, 0, 0, 0, 0, 0, 0, 0].map((share) => expect.closeTo(share, 12));
    expect(decileShares([1, 0, 0, 0], [1, 2, 3, 4])).toEqual(expected);
    expect(() => decileShares([1, 2], [1])).toThrow(ShapeError);
    expect(() => decileShares([0, 0], [1, 2])).toThrow('no prompt is drawn');
  });
});

describe('treatment', () => {
  const prompts = 400;
  const byTopic = Float64Array.from({ length: prompts }, (_, prompt) => 1 + Math.floor(prompt / 40));
  const density = byTopic.map((value, prompt) => value + ((7 * prompt) % 11) / 10);
  /** Has nothing to do with the topic: every topic has every value equally often. */
  const other = Float64Array.from({ length: prompts }, (_, prompt) => 1 + (prompt % 40));
  const drawsBy = (of: Float64Array): ArmDraws[] =>
    armSets.claim.map((arm) => ({ arm, density: of, draws: armWeights(arm, of, { seed: 3 }).weights }));
  const check = (arms: readonly ArmDraws[], commonness: Record<string, Float64Array>) =>
    verifyTreatment(arms, commonness).checks.find(({ name }) => name === 'treatment')!;

  test('is verified from weights alone if an independent rarity agrees', () => {
    const { checks, draws } = verifyTreatment(drawsBy(density), { topic: byTopic });
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ['treatment', 'ok'],
      ['placebo', 'ok'],
    ]);
    expect(draws).toHaveLength(12);
    const ofArm = (arm: string) => draws.find((entry) => entry.arm === arm && entry.rarity === 'topic')!;
    expect(ofArm('uniform').deciles).toEqual(new Array(10).fill(expect.closeTo(0.1, 12)));
    expect(ofArm('uniform').rankCorrelation).toBeNull();
    expect(ofArm('shuffled-0.2').rankCorrelation).toBeNull();
    expect(ofArm('ess-0.2').deciles[0]).toBeGreaterThan(ofArm('ess-0.5').deciles[0]!);
    expect(ofArm('ess-0.2').rankCorrelation).toBeGreaterThan(0.9);
  });

  test('fails if draws move by the density of the sampler alone', () => {
    const { status, text } = check(drawsBy(other), { topic: byTopic });
    expect(status).toBe('failed');
    expect(text).toContain('ess-0.5, ess-0.2 and ess-0.2-corrected');
    expect(text).toContain('10 % by topic');
  });

  test('one rarity that agrees is enough', () => {
    expect(check(drawsBy(density), { other, topic: byTopic }).status).toBe('ok');
  });

  test('warns if draws moved while the rank correlation is none', () => {
    // The rarest topic agrees; the other nine run the other way, but for the most crowded one.
    const turned = byTopic.map((topic) => (topic === 1 || topic === 10 ? topic : 11 - topic));
    const { status, text } = check(drawsBy(density), { turned });
    expect(status).toBe('warning');
    expect(text).toContain('agrees with no other rarity');
  });

  test('what few draws show by chance does not count', () => {
    const tenths = byTopic.map((value) => (value === 1 ? 12 : value === 10 ? 8 : 10));
    const arms = (count: number) => [{ arm: armSets.claim[2]!, density, draws: tenths, count }];
    expect(check(arms(100), { topic: byTopic }).status).toBe('failed'); // a standard error of 0.03
    expect(check(arms(100_000), { topic: byTopic }).status).toBe('ok');
  });

  test('needs a density-aware arm, and says so if nothing else knows what is rare', () => {
    const arms = drawsBy(density);
    expect(verifyTreatment(arms.slice(0, 1), { topic: byTopic }).checks).toEqual([]);
    expect(check(arms, {}).status).toBe('warning');
  });
});
