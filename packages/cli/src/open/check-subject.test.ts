import { rouletteSampler, runChecks, samplerChecks } from '@rarefy/testing';
import { expect, test } from 'vitest';
import { findSubject } from './check-subject.js';

const create = () => rouletteSampler([1, 2, 3], { seed: 1 });
const found = (exports: Readonly<Record<string, unknown>>) =>
  findSubject({ exports, digest: '' }, 'sampler.ts', { name: 'default' });

test('exports with names near those of the checks are reported, and others are not', async () => {
  const fromWeight = (weights: Float64Array) => rouletteSampler(weights, { seed: 1 });
  const { misspelled } = await found({ default: create, fromWeight, variant: [], size: 3, prompts: [] });
  expect(misspelled).toEqual([
    { name: 'fromWeight', near: 'fromWeights' },
    { name: 'variant', near: 'variants' },
  ]);
  expect((await found({ default: create, create })).misspelled).toEqual([]);
});

test('an exported list of variants is checked, and another value is refused', async () => {
  const name = 'has a different fingerprint for every option';
  const outcome = async (variants: unknown) => {
    const checks = samplerChecks((await found({ default: create, variants })).subject);
    return (await runChecks(checks.filter((check) => check.name === name))).results[0]?.status;
  };
  expect(await outcome([() => rouletteSampler([1, 2, 3], { seed: 2 })])).toBe('passed');
  expect(await outcome([create])).toBe('failed');
  expect(await outcome(undefined)).toBe('skipped');
  await expect(found({ default: create, variants: create })).rejects.toThrow('must be an array of functions');
});
