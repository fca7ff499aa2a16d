import { weighPrompts } from '@rarefy/density';
import { armWeights, measureInfo } from '@rarefy/experiment';
import { chooseBackend } from '@rarefy/lm';
import { expect, test } from 'vitest';
import claim from './experiment.js';
import planted from './planted-effect.js';
import { stratumOf } from './setting.js';

test('compares the arms of the claim on held-out prompts of every stratum, by measures that exist', () => {
  expect(claim.arms.map(({ name }) => name)).toEqual([
    ...['uniform', 'ess-0.5', 'ess-0.2', 'shuffled-0.2', 'ess-0.2-corrected', 'uniform-reweighted'],
  ]);
  expect(claim.seeds.length).toBeGreaterThanOrEqual(8);
  for (const stratum of claim.strata) {
    expect(claim.heldOut.filter((prompt) => prompt.stratum === stratum)).toHaveLength(24);
  }
  const trained = new Set(claim.prompts.map(({ prompt }) => prompt));
  expect(claim.heldOut.filter(({ prompt }) => trained.has(prompt))).toEqual([]);
  expect(() => [claim.primary!, ...claim.secondary!, ...planted.secondary!].map(measureInfo)).not.toThrow();
});

test('the positive control differs in its reward, arms and measures alone', () => {
  const { name, hypothesis, arms, rewards, primary, secondary, ...shared } = planted;
  const { training, evaluation, prompts, heldOut, model, seeds } = shared;
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value)); // a schedule is a function, made anew
  expect({ training: plain(training), evaluation, prompts, heldOut, model, seeds }).toEqual({
    ...{
      training: plain(claim.training),
      evaluation: claim.evaluation,
      prompts: claim.prompts,
      heldOut: claim.heldOut,
    },
    ...{ model: claim.model, seeds: claim.seeds },
  });
  expect(arms.map((arm) => arm.name)).toEqual(['uniform', 'ess-0.2']);
  expect(primary).toBe('em-dashes');
});

test('density-aware draws go to rare topics, which the sampler does not know', async () => {
  await chooseBackend();
  await using embedder = await claim.embedders.sentences!();
  const texts = claim.prompts.map(({ prompt }) => prompt);
  const { density } = await weighPrompts(texts, { embedder, estimator: claim.estimators!.knn! });
  const tailShare = (name: string) => {
    const { weights } = armWeights(claim.arms.find((arm) => arm.name === name)!, density);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.reduce((sum, weight, row) => sum + (stratumOf(texts[row]!) === 'tail' ? weight : 0), 0) / total;
  };
  expect(tailShare('ess-0.5')).toBeGreaterThan(2 * tailShare('uniform'));
  expect(tailShare('ess-0.2')).toBeGreaterThan(tailShare('ess-0.5'));
  expect(Math.abs(tailShare('shuffled-0.2') - tailShare('uniform'))).toBeLessThan(0.1);
});
