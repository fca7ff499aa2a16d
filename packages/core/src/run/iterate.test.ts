import { expect, test } from 'vitest';
import type { Sampler } from '../spec/sampler.js';
import { iterate } from './iterate.js';

/** Draws positions 0 to size - 1, once each. */
function inOrder(size: number): Sampler {
  let next = 0;
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint: 'in-order',
    capabilities: { replacement: false, finite: true, adaptive: false },
    draw: (count) => ({ positions: Int32Array.from({ length: Math.min(count, size - next) }, () => next++) }),
    state: () => ({ version: 1, fingerprint: 'in-order', payload: next }),
    restore() {},
  };
}

test('yields positions one by one and ends with the sampler', () => {
  expect([...iterate(inOrder(5))]).toEqual([0, 1, 2, 3, 4]);
  expect([...iterate(inOrder(0))]).toEqual([]);
});

test('draws nothing ahead: the state counts only the positions that were taken', () => {
  const sampler = inOrder(5);
  for (const position of iterate(sampler)) {
    expect(sampler.state().payload).toBe(position + 1);
    if (position === 2) break;
  }
  expect(sampler.state().payload).toBe(3);
});
