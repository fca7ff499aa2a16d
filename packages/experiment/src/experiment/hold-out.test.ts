import { NotFiniteError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { holdOut } from './hold-out.js';

const prompts = Array.from({ length: 200 }, (_, position) => ({
  id: `p${position}`,
  prompt: `prompt ${position}`,
  count: 1,
  sources: ['test'],
}));
/** Prompt 0 is the rarest but for the order, which is not that of the records. */
const density = prompts.map((_, position) => (37 * position) % 200);

test('sets the same number aside from the most crowded tenth, the middle and the rarest tenth', () => {
  const split = holdOut(prompts, density, { count: 30, seed: 3 });
  const rankOf = new Map(prompts.map(({ id }, position) => [id, density[position]!]));
  const ranks = (name: string) =>
    split.heldOut.filter(({ stratum }) => stratum === name).map(({ id }) => rankOf.get(id)!);
  expect(split.strata).toEqual(['crowded', 'middle', 'rare']);
  for (const name of split.strata) expect(ranks(name)).toHaveLength(10);
  expect(Math.min(...ranks('crowded'))).toBeGreaterThanOrEqual(180);
  expect(Math.max(...ranks('rare'))).toBeLessThan(20);
  expect(Math.min(...ranks('middle'))).toBeGreaterThanOrEqual(20);
  expect(Math.max(...ranks('middle'))).toBeLessThan(180);
});

test('every prompt is either held out or left for training, in the order of the records', () => {
  const { prompts: left, heldOut } = holdOut(prompts, density, { count: 30 });
  const heldOutIds = new Set(heldOut.map(({ id }) => id));
  expect(heldOutIds.size).toBe(30);
  expect(left).toEqual(prompts.filter(({ id }) => !heldOutIds.has(id)));
  expect(heldOut.map(({ id }) => id)).toEqual(prompts.map(({ id }) => id).filter((id) => heldOutIds.has(id)));
  for (const { id, prompt } of heldOut) expect(prompt).toBe(prompts.find((record) => record.id === id)!.prompt);
});

test('the seed chooses', () => {
  const ids = (seed: number) => holdOut(prompts, density, { count: 30, seed }).heldOut.map(({ id }) => id);
  expect(ids(1)).toEqual(ids(1));
  expect(ids(1)).not.toEqual(ids(2));
});

test('at most half of each tenth is held out', () => {
  expect(holdOut(prompts, density, { count: 30 }).heldOut).toHaveLength(30);
  expect(() => holdOut(prompts, density, { count: 33 })).toThrow(
    '33 held-out prompts are 11 per stratum, more than half of a tenth of the 200 prompts; hold out at most 30',
  );
  expect(() => holdOut(prompts, density, { count: 10 })).toThrow('count must be a multiple of 3, got 10');
  expect(() => holdOut(prompts, density.slice(1), { count: 3 })).toThrow('there are 200 prompts, but 199 densities');
  expect(() => holdOut(prompts, [...density.slice(1), Number.NaN], { count: 3 })).toThrow(NotFiniteError);
});
