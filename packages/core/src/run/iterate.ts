import type { Sampler } from '../spec/sampler.js';

/** Yields the sampler's positions one by one: an online weighted iterator for any loop. Ends when the sampler is finished. */
export function* iterate(sampler: Sampler): Generator<number, void, undefined> {
  for (;;) {
    const { positions } = sampler.draw(1);
    if (positions.length === 0) return;
    yield positions[0]!;
  }
}
