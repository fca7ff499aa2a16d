import { counterRandom } from '@rarefy/core';
import {
  curriculum,
  drawWithoutReplacement,
  frozenWeightedSampler,
  mixtureSampler,
  subsetSampler,
  uniformSampler,
  weightedSampler,
} from '@rarefy/samplers';

/**
 * Draws that must be the same in every JavaScript engine, as one text: 10,000 weighted ones, half of them after an update,
 * 10,000 of frozen weights, 10,000 uniform ones, 500 of 1,000 without replacement, and those of a mixture and of a
 * curriculum that learns. Runs in browsers too, so it does not use Node.
 */
export function samplerDraws(): string {
  const size = 1000;
  const random = counterRandom(99);
  // Without powers, because engines round Math.pow differently.
  const weights = Float64Array.from({ length: size }, (_, position) =>
    position % 10 === 3 ? 0 : random.uniform(position) / (1 + (position % 17)),
  );
  const weighted = weightedSampler(weights, { seed: 123_456_789_012 });
  const before = weighted.draw(5000);
  weighted.update({ version: 1, positions: Int32Array.of(3, 500), weights: Float64Array.of(20, 0) });
  const after = weighted.draw(5000);
  const subset = drawWithoutReplacement(weights, 500, counterRandom(7));
  const mixture = mixtureSampler(
    [
      { sampler: weightedSampler(weights, { seed: 1 }), weight: 1 },
      { sampler: subsetSampler(weights, { seed: 2, budget: 100 }), weight: 3 },
    ],
    { seed: 4 },
  );
  const learning = curriculum(weights, { seed: 5 });
  const learned: number[] = [];
  for (let step = 1; step <= 100; step++) {
    const { positions } = learning.draw(10);
    learned.push(...positions);
    learning.observe({ step, positions, rewards: Float32Array.from(positions, (position) => (position % 5) / 4) });
  }
  const restored = weightedSampler(weights, { seed: 123_456_789_012 });
  restored.restore(JSON.parse(JSON.stringify(weighted.state())));
  return JSON.stringify({
    weighted: [...before.positions, ...after.positions],
    probabilities: [...after.probabilities.subarray(0, 100)],
    state: weighted.state(),
    restored: [...restored.draw(100).positions],
    frozen: [...frozenWeightedSampler(weights, { seed: 123_456_789_012 }).draw(10_000).positions],
    mixture: [...mixture.draw(1000).positions],
    learned,
    uniform: [...uniformSampler(size, { seed: 3 }).draw(10_000).positions],
    subset: [...subset],
  });
}
