import { counterRandom, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { curriculum } from './curriculum.js';

const feedback = (positions: number[], rewards: number[]) => ({
  step: 1,
  positions: Int32Array.from(positions),
  rewards: Float32Array.from(rewards),
});

test('no position starves: after any feedback and draws, each has a probability of at least floor / n', () => {
  const event = fc.oneof(
    fc.record({ draw: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ position: fc.nat({ max: 9 }), reward: fc.double({ min: -3, max: 3, noNaN: true }) }),
  );
  const weight = fc.double({ min: -150, max: 150, noNaN: true }).map((exponent) => 10 ** exponent);
  fc.assert(
    fc.property(
      fc.array(weight, { minLength: 10, maxLength: 10 }),
      fc.constantFrom(0.05, 0.1, 1),
      fc.array(event, { maxLength: 40 }),
      (weights, floor, events) => {
        const sampler = curriculum(weights, { seed: 1, floor });
        for (const step of events) {
          if ('draw' in step) sampler.draw(step.draw);
          else sampler.observe(feedback([step.position], [step.reward]));
          const chances = sampler.probabilities();
          expect(Math.min(...chances)).toBeGreaterThanOrEqual(floor / 10);
          expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 9);
        }
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('solved and hopeless positions are drawn by the floor alone, others more often (five standard errors)', () => {
  const size = 100;
  const sampler = curriculum(new Float64Array(size).fill(1), { seed: 2, floor: 0.2, staleness: 0 });
  const truth = (position: number) => (position < 40 ? 1 : position < 80 ? 0 : 0.5);
  const random = counterRandom(4);
  for (let step = 0; step < 400; step++) {
    const { positions } = sampler.draw(32);
    const rewards = Array.from(positions, (position, group) =>
      truth(position) === 0.5 ? 0.3 + 0.4 * random.uniform(step * 32 + group) : truth(position),
    );
    sampler.observe(feedback(Array.from(positions), rewards));
  }
  const draws = 50_000;
  const chances = sampler.probabilities();
  expect(chances[0]).toBeLessThan(0.0022); // its floor is 0.002
  expect(chances[50]).toBeLessThan(0.0022);
  const learnable = chances.subarray(80).reduce((sum, chance) => sum + chance, 0);
  expect(learnable).toBeGreaterThan(0.8);
  const seen = sampler.draw(draws).positions.filter((position) => position >= 80).length;
  expect(Math.abs(seen - draws * learnable)).toBeLessThan(5 * Math.sqrt(draws * learnable * (1 - learnable)));
});

test('positions not drawn for long become more likely, up to the cap', () => {
  const size = 50;
  const weights = new Float64Array(size).fill(1).fill(1e-4, 0, 1);
  const sampler = curriculum(weights, { seed: 3, floor: 1e-9, cap: 10, staleness: 1 });
  const before = sampler.probabilities()[0]!;
  let drawn = 0;
  while (drawn < 5000 && !sampler.draw(50).positions.includes(0)) drawn += 50;
  const fresh = curriculum(weights, { seed: 3, floor: 1e-9, cap: 10, staleness: 1 });
  fresh.draw(drawn);
  // Other positions are drawn about once in 50 draws and keep a factor of about 2; this one has reached 10.
  expect(fresh.probabilities()[0]! / before).toBeGreaterThan(3);
  expect(fresh.probabilities()[0]! / before).toBeLessThanOrEqual(10);
});

test('pass rates are running means of the rewards, clipped or mapped to [0, 1]', () => {
  const sampler = curriculum([1, 1, 1], { seed: 1, smoothing: 0.25, passRate: (reward) => (reward > 0 ? 1 : 0) });
  sampler.observe(feedback([2, 2, 0], [3, -3, 0.1]));
  expect(Array.from(sampler.passRates())).toEqual([0.625, 0.5, 0.46875]);
  const plain = curriculum([1, 1], { seed: 1, smoothing: 1 });
  plain.observe(feedback([0, 1], [7, -7]));
  expect(Array.from(plain.passRates())).toEqual([1, 0]);
  expect(Array.from(plain.probabilities())).toEqual([0.5, 0.5]); // nothing left to learn: uniform
  plain.observe({ step: 1, positions: Int32Array.of(0) }); // without rewards it learns nothing
  expect(Array.from(plain.passRates())).toEqual([1, 0]);
});

test('never draws a weight of zero', () => {
  const sampler = curriculum([0, 2, 0, 1], { seed: 1, floor: 1 });
  for (const position of sampler.draw(10_000).positions) expect([1, 3]).toContain(position);
  expect(sampler.probabilities()[0]).toBe(0);
});

test('the state stays short in a long run, and its snapshot is renewed at the same step', () => {
  const make = () => curriculum(new Float64Array(30).fill(1), { seed: 1 });
  const sampler = make();
  let longest = 0;
  for (let step = 0; step < 2000; step++) {
    const positions = Array.from(sampler.draw(4).positions);
    sampler.observe(
      feedback(
        positions,
        positions.map((position) => position % 2),
      ),
    );
    longest = Math.max(longest, JSON.stringify(sampler.state()).length);
  }
  expect(longest).toBeLessThan(25_000);
  const again = make();
  again.restore(JSON.parse(JSON.stringify(sampler.state())));
  for (let step = 0; step < 400; step++) {
    expect(again.draw(4)).toEqual(sampler.draw(4));
    for (const one of [again, sampler]) one.observe(feedback([step % 30], [0.5]));
    expect(again.state()).toEqual(sampler.state());
  }
});

test('refuses invalid arguments and feedback, which change nothing', () => {
  const make = (options: object) => () => curriculum([1, 2], { seed: 1, ...options });
  for (const options of [
    { floor: 0 },
    { floor: 1.1 },
    { cap: 0.5 },
    { cap: Infinity },
    { staleness: -1 },
    { smoothing: 0 },
    { floor: Number.NaN },
  ]) {
    expect(make(options)).toThrow(InvalidArgumentError);
  }
  expect(() => curriculum([0, 0], { seed: 1 })).toThrow(InvalidWeightsError);
  expect(() => curriculum([1, -1], { seed: 1 })).toThrow('weight -1 at position 1');
  expect(() => curriculum([1, 1e298], { seed: 1 })).toThrow('weight 1e+299 at position 1: weights must be at most');
  const sampler = make({})();
  const before = sampler.state();
  const fraction = { step: 1, positions: [0.5] as unknown as Int32Array, rewards: Float32Array.of(1) };
  expect(() => sampler.observe(fraction)).toThrow('position 0.5');
  expect(() => sampler.observe(feedback([0, 2], [1, 1]))).toThrow('position 2');
  expect(() => sampler.observe(feedback([0], [Number.NaN]))).toThrow('must be in [0, 1]');
  expect(() => sampler.observe(feedback([0], [1, 1]))).toThrow('1 positions and 2 rewards');
  expect(sampler.state()).toEqual(before);
});
