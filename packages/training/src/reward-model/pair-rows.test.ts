import { InvalidArgumentError } from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import { expect, test } from 'vitest';
import { splitPairs } from './pair-rows.js';

const pairs = Array.from({ length: 300 }, (_, index): Pair => {
  return { id: `${index}`, src: 'test', prompt: `prompt ${index % 100}`, chosen: 'a', rejected: 'b' };
});
const promptsOf = (some: readonly Pair[]) => new Set(some.map(({ prompt }) => prompt));

test('a share of the prompts is held out with all their pairs', () => {
  const { train, heldOut } = splitPairs(pairs, 0.2);
  expect(promptsOf(heldOut).size).toBe(20);
  expect(heldOut).toHaveLength(60);
  expect([...train, ...heldOut].map(({ id }) => id).sort()).toEqual(pairs.map(({ id }) => id).sort());
  expect([...promptsOf(train)].filter((prompt) => promptsOf(heldOut).has(prompt))).toEqual([]);
});

test('the split depends on the seed and the texts, not on the order', () => {
  const held = (some: readonly Pair[], seed?: number) => [...promptsOf(splitPairs(some, 0.2, seed).heldOut)].sort();
  expect(held([...pairs].reverse())).toEqual(held(pairs));
  expect(held(pairs, 1)).not.toEqual(held(pairs));
  // With 10 % more prompts, at most 2 + 10 % of 22 prompts change sides on average; without this property, nearly all would.
  const more = Array.from({ length: 10 }, (_, index) => ({ ...pairs[0]!, prompt: `another ${index}` }));
  const stayed = held([...pairs, ...more]).filter((prompt) => held(pairs).includes(prompt));
  expect(stayed.length).toBeGreaterThan(15);
});

test('the seeds hold out each prompt about equally often', () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 200; seed++) {
    for (const prompt of promptsOf(splitPairs(pairs, 0.2, seed).heldOut))
      counts.set(prompt, (counts.get(prompt) ?? 0) + 1);
  }
  // 40 expected of 200, standard deviation 5.7
  for (const count of counts.values()) expect(Math.abs(count - 40)).toBeLessThan(28);
});

test('one prompt stays on each side, and a share that is none is refused', () => {
  const two = [pairs[0]!, pairs[1]!];
  for (const share of [0.001, 0.999]) {
    const { train, heldOut } = splitPairs(two, share);
    expect([train.length, heldOut.length]).toEqual([1, 1]);
  }
  for (const share of [0, 1, -1, Number.NaN, '0.2' as never]) {
    expect(() => splitPairs(pairs, share)).toThrow(InvalidArgumentError);
  }
  expect(() => splitPairs([pairs[0]!, pairs[100]!], 0.5)).toThrow('at least 2 distinct prompts, got 1');
});
