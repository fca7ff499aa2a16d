import { deckSampler, type LoaderSetting, loaderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test } from 'vitest';
import { lookupLoader } from './lookup-loader.js';

const create = (prompts: readonly string[], setting: LoaderSetting) =>
  lookupLoader(async (positions) => Array.from(positions, (position) => prompts[position]), setting);

describeChecks('lookupLoader', loaderChecks({ create }));

test('a look-up that fails costs no prompts', async () => {
  let isDown = true;
  const lookUp = async (positions: Int32Array) => {
    if (isDown) throw new Error('the database is down');
    return [...positions];
  };
  const sampler = deckSampler(9, { seed: 1 });
  const next = async (loader = lookupLoader(lookUp, { sampler, batchSize: 3, groupSize: 2 })) => {
    for await (const { prompts } of loader) return prompts;
    return undefined;
  };
  await expect(next()).rejects.toThrow('the database is down');
  isDown = false;
  expect(await next()).toEqual([...deckSampler(9, { seed: 1 }).draw(3).positions]);
});
