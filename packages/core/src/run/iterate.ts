import { checkComponent } from '../check-items.js';
import type { IterableSampler, Sampler } from '../spec/sampler.js';

/**
 * Yields the sampler's positions one by one: an online weighted iterator for any loop. Ends when the sampler is finished.
 * @throws InvalidArgumentError if `sampler` is not a sampler, such as a promise of one.
 */
export function iterate(sampler: Sampler): Generator<number, void, undefined> {
  checkComponent('sampler', sampler, 'iterate');
  return positionsOf(sampler);
}

function* positionsOf(sampler: Sampler): Generator<number, void, undefined> {
  for (;;) {
    const { positions } = sampler.draw(1);
    if (positions.length === 0) return;
    yield positions[0]!;
  }
}

/**
 * Makes a sampler work in `for (const position of sampler)`, with the draws of {@link iterate}. Adds the method to the sampler
 * itself, so its getters stay live, and returns it. Factories of samplers end with it: `return iterableSampler({ ... })`.
 */
export function iterableSampler<Kind extends Sampler>(sampler: Kind): Kind & IterableSampler {
  return Object.assign(sampler, { [Symbol.iterator]: () => iterate(sampler) });
}
