import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { counterRandom } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { drawWithoutReplacement, frozenWeightedSampler, uniformSampler, weightedSampler } from './index.js';

const path = fileURLToPath(new URL('../../../tests/golden/sampler-vectors.json', import.meta.url));
const script = fileURLToPath(new URL('../../../tests/python/check_sampler_vectors.py', import.meta.url));

/** Weights without powers or logarithms, which engines may round differently. */
const weights = Float64Array.from({ length: 997 }, (_, position) =>
  position % 10 === 3 ? 0 : (1 + ((position * position) % 101)) / (1 + (position % 17)),
);
const seed = 123_456_789_012; // uses both halves of the key
const update = {
  version: 1,
  positions: Int32Array.of(3, 500, 996),
  weights: Float64Array.of(20, 0, 0.1),
};

/** Draws of the samplers, with everything that an independent program needs to reproduce them. */
function vectors() {
  const changing = weightedSampler(weights, { seed });
  const before = changing.draw(5000).positions;
  changing.update(update);
  const after = changing.draw(5000).positions;
  return {
    seed,
    weights: Array.from(weights),
    update: { next: 5000, positions: Array.from(update.positions), weights: Array.from(update.weights) },
    changing: [...before, ...after],
    frozen: Array.from(frozenWeightedSampler(weights, { seed }).draw(10_000).positions),
    uniform: Array.from(uniformSampler(997, { seed }).draw(10_000).positions),
    subset: Array.from(drawWithoutReplacement(weights, 800, counterRandom(seed))),
  };
}

test('draws equal the stored ones', () => {
  if (process.env.RAREFY_WRITE_VECTORS === '1') writeFileSync(path, `${JSON.stringify(vectors())}\n`);
  expect(vectors()).toEqual(JSON.parse(readFileSync(path, 'utf8')));
});

const python = spawnSync('python3', ['--version']).status === 0;

describe.skipIf(!python)(`an independent program${python ? '' : ' (skipped: python3 is absent)'}`, () => {
  const check = (input: string) => spawnSync('python3', [script], { input, encoding: 'utf8' });

  test('makes the same draws', () => {
    const { status, stdout, stderr } = check(readFileSync(path, 'utf8'));
    expect(stderr).toBe('');
    expect(stdout).toBe('changing 10000\nfrozen 10000\nuniform 10000\nsubset 800\n');
    expect(status).toBe(0);
  });

  test('detects one wrong draw', () => {
    const wrong = vectors();
    wrong.frozen[7777] = (wrong.frozen[7777]! + 1) % 997;
    const { status, stderr } = check(JSON.stringify(wrong));
    expect(status).toBe(1);
    expect(stderr).toContain('frozen draw 7777');
  });
});
