import { InvalidArgumentError, InvalidWeightsError, type Sampler, StateMismatchError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { curriculum, mixtureSampler, subsetSampler, uniformSampler, weightedSampler } from './index.js';

const weights = [4, 0, 1, 2, 3];

test('the probability of a position sums over the parts, and draws follow it (chi-square, false alarm below 1e-6)', () => {
  const mixture = mixtureSampler(
    [
      { sampler: weightedSampler(weights, { seed: 1 }), weight: 3 },
      { sampler: uniformSampler(5, { seed: 2 }), weight: 1 },
    ],
    { seed: 3 },
  );
  const expected = weights.map((weight) => 0.075 * weight + 0.05);
  for (const [position, chance] of mixture.probabilities!().entries()) {
    expect(chance).toBeCloseTo(expected[position]!, 12);
  }
  const draws = 200_000;
  const { positions, probabilities } = mixture.draw(draws);
  const counts = new Float64Array(5);
  for (const position of positions) counts[position]!++;
  const errors = Array.from(positions, (position, draw) => Math.abs(probabilities![draw]! - expected[position]!));
  expect(errors.every((error) => error < 1e-12)).toBe(true);
  let statistic = 0;
  counts.forEach((count, position) => {
    statistic += (count - draws * expected[position]!) ** 2 / (draws * expected[position]!);
  });
  expect(statistic).toBeLessThan(33.4); // the 1 - 1e-6 quantile at 4 degrees
});

test('each part contributes its own stream, in order', () => {
  const [even, odd] = [weightedSampler([1, 0, 2, 0, 3], { seed: 1 }), weightedSampler([0, 1, 0, 2, 0], { seed: 2 })];
  const { positions } = mixtureSampler(
    [
      { sampler: even, weight: 1 },
      { sampler: odd, weight: 1 },
    ],
    { seed: 3 },
  ).draw(400);
  const evens = positions.filter((position) => position % 2 === 0);
  const odds = positions.filter((position) => position % 2 === 1);
  expect(evens).toEqual(weightedSampler([1, 0, 2, 0, 3], { seed: 1 }).draw(evens.length).positions);
  expect(odds).toEqual(weightedSampler([0, 1, 0, 2, 0], { seed: 2 }).draw(odds.length).positions);
  expect(Math.abs(evens.length - 200)).toBeLessThan(50); // five standard errors
});

test('updates of a part change the probabilities and the version', () => {
  const part = weightedSampler(weights, { seed: 1 });
  const mixture = mixtureSampler(
    [
      { sampler: part, weight: 1 },
      { sampler: weightedSampler([1, 1, 1, 1, 1], { seed: 2 }), weight: 1 },
    ],
    { seed: 3 },
  );
  mixture.draw(10);
  part.update({ version: 5, positions: Int32Array.of(0, 2, 3, 4), weights: Float64Array.of(0, 0, 0, 1) });
  const draws = mixture.draw(50);
  expect(draws.version).toBe(5);
  expect(mixture.weightsVersion).toBe(5);
  expect(mixtureSampler([{ sampler: uniformSampler(5, { seed: 1 }), weight: 1 }], { seed: 3 }).weightsVersion).toBe(
    undefined,
  );
  draws.positions.forEach((position, draw) => {
    expect(draws.probabilities![draw]).toBeCloseTo(position === 4 ? 0.6 : 0.1, 12);
  });
});

test('reports probabilities that change with every draw', () => {
  const mixture = mixtureSampler(
    [
      { sampler: subsetSampler(weights, { seed: 1, epochs: 3 }), weight: 1 },
      { sampler: curriculum(weights, { seed: 2 }), weight: 2 },
    ],
    { seed: 3 },
  );
  const twin = mixtureSampler(
    [
      { sampler: subsetSampler(weights, { seed: 1, epochs: 3 }), weight: 1 },
      { sampler: curriculum(weights, { seed: 2 }), weight: 2 },
    ],
    { seed: 3 },
  );
  const draws = twin.draw(500);
  expect(draws.positions.length).toBeLessThan(500); // the finite part is finished
  draws.positions.forEach((position, draw) => {
    const chances = mixture.probabilities!();
    expect(mixture.draw(1).positions[0]).toBe(position);
    expect(draws.probabilities![draw]).toBeCloseTo(chances[position]!, 12);
  });
  expect(mixture.draw(3).positions.length).toBe(0);
});

test('feedback goes to all parts', () => {
  const parts = [curriculum(weights, { seed: 1 }), curriculum(weights, { seed: 2 })];
  const mixture = mixtureSampler(
    parts.map((sampler) => ({ sampler, weight: 1 })),
    { seed: 3 },
  );
  mixture.observe!({ step: 1, positions: Int32Array.of(2), rewards: Float32Array.of(1) });
  expect(parts.map((part) => part.passRates()[2])).toEqual([0.75, 0.75]);
  expect(mixture.capabilities.adaptive).toBe(true);
});

test('a state that one part refuses changes no part', () => {
  const inner = uniformSampler(5, { seed: 2 });
  let refuses = false;
  const fussy: Sampler = {
    ...inner,
    restore(state) {
      if (refuses) throw new StateMismatchError('not today');
      inner.restore(state);
    },
  };
  const mixture = mixtureSampler(
    [
      { sampler: weightedSampler(weights, { seed: 1 }), weight: 1 },
      { sampler: fussy, weight: 1 },
    ],
    { seed: 3 },
  );
  mixture.draw(7);
  const early = mixture.state();
  const tail = mixture.draw(30);
  const late = mixture.state();
  refuses = true;
  expect(() => mixture.restore(early)).toThrow('not today');
  expect(mixture.state()).toEqual(late);
  refuses = false;
  mixture.restore(early);
  expect(mixture.draw(30)).toEqual(tail);
});

test('refuses invalid parts', () => {
  const sampler = uniformSampler(5, { seed: 1 });
  expect(() => mixtureSampler([], { seed: 1 })).toThrow(InvalidArgumentError);
  expect(() =>
    mixtureSampler(
      [
        { sampler, weight: 1 },
        { sampler, weight: 1 },
      ],
      { seed: 1 },
    ),
  ).toThrow('in the mixture twice');
  expect(() => mixtureSampler([{ sampler, weight: 0 }], { seed: 1 })).toThrow(InvalidWeightsError);
  expect(() => mixtureSampler([{ sampler, weight: Number.NaN }], { seed: 1 })).toThrow('weight NaN at position 0');
});
