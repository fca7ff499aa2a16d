import { TrainingError } from '@rarefy/core';
import { subsetSampler, weightedSampler } from '@rarefy/samplers';
import { expect, test } from 'vitest';
import { pairDraws } from './pair-draws.js';

const rows = ['a', undefined, 'c', 'd'];

test('pairs that were left out are skipped, and the others keep their proportions', () => {
  const draws = pairDraws(weightedSampler([1, 5, 3, 0], { seed: 4 }), rows, 1000);
  const batch = draws.batch();
  const share = batch.filter((name) => name === 'c').length / 1000;
  expect(batch).toHaveLength(1000);
  expect(Math.abs(share - 0.75)).toBeLessThan(0.07); // five standard deviations
  expect(batch).not.toContain('d');
});

test('the state is that after the last finished step: an interrupted step is drawn again', () => {
  const draws = pairDraws(weightedSampler([1, 2, 3, 4], { seed: 1 }), rows, 5);
  draws.batch();
  draws.finish();
  const saved = draws.state();
  const interrupted = draws.batch();
  expect(draws.state()).toEqual(saved);
  const resumed = pairDraws(weightedSampler([1, 2, 3, 4], { seed: 1 }), rows, 5);
  resumed.restore(JSON.parse(JSON.stringify(saved)));
  expect(resumed.batch()).toEqual(interrupted);
});

test('a batch that cannot be filled is an error', () => {
  expect(() => pairDraws(weightedSampler([0, 1, 0, 0], { seed: 1 }), rows, 2).batch()).toThrow(
    'only pairs that are left out',
  );
  const finite = subsetSampler(new Float64Array(4).fill(1), { budget: 4, seed: 1, epochs: 1 });
  expect(() => pairDraws(finite, rows, 9).batch()).toThrow(TrainingError);
  expect(() => pairDraws(weightedSampler([1, 1, 1, 1, 9], { seed: 1 }), rows, 50).batch()).toThrow(
    'and there are 4 pairs',
  );
});
