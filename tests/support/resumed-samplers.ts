import { counterRandom, type Sampler } from '@rarefy/core';
import {
  curriculum,
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

/** A sampler that is the same at every call, and one of slightly other weights. */
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
  'weightedSampler of frozen weights': from((given) => weightedSampler(given, { seed: 1, frozen: true })),
  // Its epochs are 100 draws, so that resuming crosses their ends.
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

/** One training step of 3 draws; with updates also what the run then tells the sampler. A function of the step alone. */
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
  return 'update' in sampler && !sampler.fingerprint.includes('frozen');
}

/** Now an addition, now a removal, mostly an update. */
function change(sampler: WeightedSampler, step: number): void {
  const at = (place: number) => random.uniform(9e9 + step * 8 + place);
  const position = (place: number) => Math.floor(at(place) * sampler.weights().length);
  const version = step + 1;
  if (step % 70 === 0) sampler.add({ version, weights: Float64Array.of(at(0), 3) });
  else if (step % 70 === 35) sampler.remove({ version, positions: Int32Array.of(position(0)) });
  else {
    const positions = Int32Array.of(position(1), position(2));
    sampler.update({ version, positions, weights: Float64Array.of(at(3) * 9, step % 3) });
  }
}

/** A state before a step, and how many steps to take from there. */
export interface SavedStep {
  readonly name: string;
  readonly hasUpdates: boolean;
  readonly step: number;
  readonly tail: number;
  readonly state: string;
}

/** The draws of samplers that go on from states. */
export function tailsAfter(saved: readonly SavedStep[]): number[][] {
  return saved.map(({ name, hasUpdates, step, tail, state }) => {
    const sampler = resumedSamplers[name]!.create();
    sampler.restore(JSON.parse(state));
    return Array.from({ length: tail }, (_, at) => resumedStep(sampler, step + at, hasUpdates)).flat();
  });
}
