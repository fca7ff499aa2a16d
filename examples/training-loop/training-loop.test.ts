import { fileURLToPath } from 'node:url';
import { embed } from '@rarefy/core';
import { readPairs, uniquePrompts } from '@rarefy/data';
import { compose, inverseDensity, targetEss } from '@rarefy/density';
import { hashEmbedder } from '@rarefy/embedders/hash';
import { beforeAll, expect, test } from 'vitest';
import { trainClassifier } from './training-loop.js';

const prompts: string[] = [];
const classes: number[] = [];
beforeAll(async () => {
  const pairs = readPairs(fileURLToPath(new URL('../data/pairs.jsonl', import.meta.url)));
  const names: string[] = [];
  for (const { prompt, sources } of (await uniquePrompts(pairs)).slice(0, 600)) {
    if (!names.includes(sources[0]!)) names.push(sources[0]!);
    prompts.push(prompt);
    classes.push(names.indexOf(sources[0]!));
  }
});
const train = () => trainClassifier(prompts.slice(0, 500), classes.slice(0, 500), { steps: 1500, seed: 1 });

test('predicts the source of prompts that it has never seen', async () => {
  const { parameters } = await train();
  const { data, cols } = await embed(hashEmbedder(), prompts);
  const best = (row: number) => {
    const scores = parameters.map((weights) =>
      weights.reduce((sum, weight, column) => sum + weight * data[row * cols + column]!, 0),
    );
    return scores.indexOf(Math.max(...scores));
  };
  const unseen = classes.slice(500);
  const right = unseen.filter((label, index) => best(500 + index) === label).length;
  const commonest = Math.max(...unseen.map((label) => unseen.filter((other) => other === label).length));
  expect(right).toBeGreaterThan(2 * commonest);
});

test('lowers the weight of most drawn prompts, and keeps that of prompts never drawn', async () => {
  const { sampler } = await train();
  const before = compose(inverseDensity(), targetEss(0.5))(sampler.density);
  const ratios = sampler.weights().map((weight, position) => weight / before[position]!);
  const changed = ratios.filter((ratio) => ratio !== 1);
  expect(changed.length).toBeGreaterThan(100);
  expect(changed.length).toBeLessThan(500);
  expect(changed.filter((ratio) => ratio < 1).length / changed.length).toBeGreaterThan(0.5);
});

test('the same seed repeats draws, updates and parameters', async () => {
  const { parameters, sampler } = await train();
  const again = await train();
  expect(sampler.weightsVersion).toBe(1500);
  expect(again.parameters).toEqual(parameters);
  expect(again.sampler.state()).toEqual(sampler.state());
  expect(again.sampler.draw(50).positions).toEqual(sampler.draw(50).positions);
});
