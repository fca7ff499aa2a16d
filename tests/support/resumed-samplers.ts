import { counterRandom, type Sampler } from '@rarefy/core';
import {
  curriculum,
  frozenWeightedSampler,
  mixtureSampler,
  shard,
  subsetSampler,
  uniformSampler,
  type WeightedSampler,
  weightedSampler,
} from '@rarefy/samplers';

const size = 120;
const random = counterRandom(77);
const weights = Float64Array.from({ length: size }, (_, position) =>
  position % 9 === 4 ? 0 : 1 + (position % 7) ** 2,
);

/** Builds equal samplers, and samplers of slightly different weights. */
export interface ResumedSampler {
  readonly create: () => Sampler;
  readonly createOther: () => Sampler;
}

const from = (build: (given: Float64Array) => Sampler): ResumedSampler => ({
  create: () => build(weights),
  createOther: () => build(weights.map((weight, position) => (position === 3 ? weight + 1e-9 : weight))),
});

/** Samplers to stop and resume. */
export const resumedSamplers: Readonly<Record<string, ResumedSampler>> = {
  weightedSampler: from((given) => weightedSampler(given, { seed: 1 })),
  frozenWeightedSampler: from((given) => frozenWeightedSampler(given, { seed: 1 })),
  // Epochs of 100 draws, so that resuming crosses their ends.
  subsetSampler: from((given) => subsetSampler(given, { seed: 1, budget: 100 })),
  mixtureSampler: from((given) =>
    mixtureSampler(
      [
        { sampler: weightedSampler(given, { seed: 2 }), weight: 2 },
        { sampler: subsetSampler(given.toReversed(), { seed: 3 }), weight: 1 },
      ],
      { seed: 1 },
    ),
  ),
  curriculum: from((given) => curriculum(given, { seed: 1 })),
  uniformSampler: {
    create: () => uniformSampler(size, { seed: 1 }),
    createOther: () => uniformSampler(size + 1, { seed: 1 }),
  },
  'shard of a weightedSampler': from((given) => shard(weightedSampler(given, { seed: 1 }), { rank: 1, worldSize: 3 })),
};

/** One training step: 3 draws and, with updates, feedback and weight changes. Depends only on the step. */
export function resumedStep(sampler: Sampler, step: number, hasUpdates: boolean): number[] {
  const { positions } = sampler.draw(3);
  if (hasUpdates) {
    const rewards = Float32Array.from(positions, (position) => random.uniform(step * size + position));
    sampler.observe?.({ step, positions, rewards });
    if (isChanging(sampler) && step % 7 === 0) change(sampler, step);
  }
  return Array.from(positions);
}

function isChanging(sampler: Sampler): sampler is WeightedSampler {
  return 'update' in sampler;
}

/** Mostly updates; now and then an addition or a removal. */
function change(sampler: WeightedSampler, step: number): void {
  const uniform = (index: number) => random.uniform(9e9 + step * 8 + index);
  const position = (index: number) => Math.floor(uniform(index) * sampler.weights().length);
  const version = step + 1;
  if (step % 70 === 0) sampler.add({ version, weights: Float64Array.of(uniform(0), 3) });
  else if (step % 70 === 35) sampler.remove({ version, positions: Int32Array.of(position(0)) });
  else {
    const positions = Int32Array.of(position(1), position(2));
    sampler.update({ version, positions, weights: Float64Array.of(uniform(3) * 9, step % 3) });
  }
}

/** A state before a step, and the number of steps to take from there. */
export interface SavedStep {
  readonly name: string;
  readonly hasUpdates: boolean;
  readonly step: number;
  readonly tail: number;
  readonly state: string;
}

/** The draws of samplers that continue from saved states. */
export function tailsAfter(saved: readonly SavedStep[]): number[][] {
  return saved.map(({ name, hasUpdates, step, tail, state }) => {
    const sampler = resumedSamplers[name]!.create();
    sampler.restore(JSON.parse(state));
    return Array.from({ length: tail }, (_, at) => resumedStep(sampler, step + at, hasUpdates)).flat();
  });
}
