import { StateMismatchError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { drawCounts } from './draw-counts.js';

test('draws are counted, including those of positions added later', () => {
  const counts = drawCounts(3);
  counts.add(Int32Array.of(0, 2, 0));
  expect([...counts.counts]).toEqual([2, 0, 1]);
  counts.add(Int32Array.of(4, 2));
  expect([...counts.counts]).toEqual([2, 0, 2, 0, 1]);
  expect([counts.distinct, counts.total]).toEqual([3, 5]);
});

test('a state is restored for as many positions or more, and refused for fewer', () => {
  const counts = drawCounts(3);
  counts.add(Int32Array.of(1, 1, 3));
  for (const size of [4, 6]) {
    const restored = drawCounts(size);
    restored.add(Int32Array.of(0));
    restored.restore(counts.state());
    expect([...restored.counts]).toEqual([0, 2, 0, 1, 0, 0].slice(0, size));
    expect([restored.distinct, restored.total]).toEqual([2, 3]);
  }
  expect(() => drawCounts(3).restore(counts.state())).toThrow(StateMismatchError);
});
