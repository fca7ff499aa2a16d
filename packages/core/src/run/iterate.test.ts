import { expect, test } from 'vitest';
import type { Sampler } from '../spec/sampler.js';
import { iterableSampler, iterate } from './iterate.js';

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

test('an iterable sampler works in for…of, continues its stream in a second loop, and keeps its getters live', () => {
  let version = 0;
  const plain = Object.defineProperty(inOrder(5), 'weightsVersion', { get: () => version, enumerable: true });
  const sampler = iterableSampler(plain);
  const seen: number[] = [];
  for (const position of sampler) {
    seen.push(position);
    if (position === 1) break;
  }
  expect([...seen, ...sampler]).toEqual([0, 1, 2, 3, 4]);
  expect([...sampler]).toEqual([]);
  version = 3;
  expect(sampler.weightsVersion).toBe(3);
  expect(JSON.stringify(sampler.state())).toBe(JSON.stringify(plain.state()));
});

test('rejects a promise of a sampler and a factory before the first draw', () => {
  const given = (sampler: unknown) => () => iterate(sampler as Sampler);
  expect(given(Promise.resolve(inOrder(2)))).toThrow('iterate needs a sampler, got a promise; did you forget await?');
  expect(given(inOrder)).toThrow('iterate needs a sampler, got a function');
});
