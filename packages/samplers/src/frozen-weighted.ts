import { counterRandom, digest, InvalidArgumentError } from '@rarefy/core';
import { once } from './once.js';
import { placeState, readPlace } from './sampler-state.js';
import { aliasTable } from './structures/alias-table.js';
import { checkCount } from './structures/check-count.js';
import type { WeightedSampler, WeightedSamplerOptions } from './weighted.js';

/** `weightedSampler` with `frozen: true`. @param weights not copied, must not change */
export function frozenWeightedSampler(
  weights: Float64Array,
  { seed, name = 'weighted-sampler' }: WeightedSamplerOptions,
): WeightedSampler {
  const random = counterRandom(seed);
  const table = aliasTable(weights);
  const weightsDigest = once(() => digest(weights));
  const fingerprint = () => `${name}:size=${weights.length},weights=${weightsDigest()},seed=${seed},frozen`;
  const digestAt = (index: number) => digest([seed, index], weightsDigest());
  const total = once(() => {
    let sum = 0;
    for (const weight of weights) sum += weight;
    return sum;
  });
  const refuse = (): never => {
    throw new InvalidArgumentError('the weights of this sampler are frozen; build it without `frozen` to change them');
  };
  let next = 0;
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    get fingerprint() {
      return fingerprint();
    },
    capabilities: { replacement: true, finite: false, adaptive: false },
    weightsVersion: 0,
    draw(count) {
      checkCount(count);
      const first = next;
      const uniforms = new Float64Array(count);
      const positions = new Int32Array(count);
      random.fill(first, uniforms);
      next += count;
      table.findAll(uniforms, positions);
      // Not everybody asks for the chances, and each is another cache miss. The copy is there because positions can be overwritten.
      const drawn = positions.slice();
      const probabilities = once(() => {
        const chances = new Float64Array(count);
        const sum = total();
        for (let draw = 0; draw < count; draw++) chances[draw] = weights[drawn[draw]!]! / sum;
        return chances;
      });
      return {
        positions,
        get probabilities() {
          return probabilities();
        },
        first,
        version: 0,
      };
    },
    probabilities: () => weights.map((weight) => weight / total()),
    weights: () => weights.slice(),
    update: refuse,
    add: refuse,
    remove: refuse,
    state: () => placeState(fingerprint(), seed, next, digestAt(next)),
    restore(state) {
      next = readPlace(state, fingerprint(), seed, digestAt);
    },
  };
}
