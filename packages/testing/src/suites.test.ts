import { expect, test } from 'vitest';
import { runChecks } from './check.js';
import { naiveLoader } from './reference/naive-loader.js';
import { rouletteSampler } from './reference/samplers.js';
import { type ComponentKind, subjectMembers } from './subject-members.js';
import { suites } from './suites.js';

test('every suite is in the table, with what its subject needs', () => {
  expect(Object.keys(subjectMembers)).toEqual(Object.keys(suites));
  for (const suite of Object.values(suites)) {
    const create = () => Promise.reject(new Error('no component')) as Promise<never>;
    expect(suite({ create }).length).toBeGreaterThan(4);
  }
});

test('a suite from the table takes the optional members of its subject', async () => {
  const status = async (kind: ComponentKind, subject: object, check: string) => {
    const checks = suites[kind](subject as never).filter(({ name }) => name === check);
    return (await runChecks(checks)).results.map((result) => result.status);
  };
  const create = () => rouletteSampler([1, 2, 3], { seed: 1 });
  const fromWeights = (weights: Float64Array) => rouletteSampler(weights, { seed: 1 });
  expect(await status('sampler', { create, fromWeights }, 'draws in proportion to the weights')).toEqual(['passed']);
  expect(await status('sampler', { create }, 'draws in proportion to the weights')).toEqual(['skipped']);
  expect(await status('loader', { create: naiveLoader }, 'yields the same stream for any batch size')).toEqual([
    'passed',
  ]);
});
