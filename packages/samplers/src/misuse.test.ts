import {
  counterRandom,
  type Feedback,
  InvalidArgumentError,
  InvalidWeightsError,
  type WeightUpdate,
} from '@rarefy/core';
import { expect, test, vi } from 'vitest';
import { drawBalanced } from './balanced-draw.js';
import { curriculum } from './curriculum.js';
import { followUpdates } from './follow-updates.js';
import { aliasTable } from './structures/alias-table.js';
import { drawWithoutReplacement } from './structures/exponential-keys.js';
import { sumTree } from './structures/sum-tree.js';
import { subsetSampler } from './subset.js';
import { weightedSampler } from './weighted.js';

/** What JavaScript lets through and TypeScript does not. */
const untyped = <Value>(value: unknown) => value as Value;
const sampler = () => weightedSampler([1, 2, 3], { seed: 1 });

test('a weight that is not a number is refused, not read as 0 or 1', () => {
  for (const wrong of ['1', null, true]) {
    const weights = untyped<number[]>([1, wrong]);
    const message = `weight ${JSON.stringify(wrong)} at position 1: weights must be finite and ≥ 0`;
    const calls = [
      () => weightedSampler(weights, { seed: 1 }),
      () => subsetSampler(weights, { seed: 1 }),
      () => curriculum(weights, { seed: 1 }),
      () => sumTree(weights),
      () => aliasTable(weights),
      () => sampler().update(untyped({ version: 1, positions: [0, 1], weights })),
    ];
    for (const call of calls) expect(call).toThrow(new InvalidWeightsError(message));
  }
});

test('the tables refuse what is not a list', () => {
  for (const table of [sumTree, aliasTable]) {
    expect(() => table(untyped(undefined))).toThrow('weights must be an array of numbers, got undefined');
    expect(() => table(untyped('x'))).toThrow('weights must be an array of numbers, got a string');
  }
});

test('an update that is none is refused with its shape, and does not end a stream', () => {
  expect(() => sampler().update(untyped(undefined))).toThrow(
    new InvalidArgumentError('an update must be { version, positions, weights }, got undefined'),
  );
  expect(() => sampler().add(untyped([1, 2]))).toThrow('an addition must be { version, weights }, got an array');
  expect(() => sampler().remove(untyped(1))).toThrow('a removal must be { version, positions }, got 1');
  expect(() => sampler().update(untyped({ version: '1', positions: [0], weights: [1] }))).toThrow(
    'an update has version "1"; it must be an integer above 0',
  );

  const followed = sampler();
  const onError = vi.fn();
  const update = { version: 1, positions: Int32Array.of(0), weights: Float64Array.of(9) };
  followUpdates(followed, untyped<WeightUpdate[]>([null, update]), { onError });
  expect(onError.mock.calls).toEqual([
    [new InvalidArgumentError('an update must be { version, positions, weights }, got null')],
  ]);
  expect([...followed.weights()]).toEqual([9, 2, 3]);
});

test('the error for a state that is JSON text says to parse it', () => {
  const restore = (state: unknown) => () => sampler().restore(untyped(state));
  expect(restore(JSON.stringify(sampler().state()))).toThrow(
    'expected the state of a sampler, got a string; parse it with JSON.parse',
  );
  expect(restore(undefined)).toThrow('expected the state of a sampler, got undefined');
  expect(restore({})).toThrow('state has version undefined and this sampler reads version 1');
});

test('feedback without positions, or with a misspelled name, is refused', () => {
  const observe = (feedback: unknown) => () => curriculum([1, 2], { seed: 1 }).observe(untyped<Feedback>(feedback));
  expect(observe(undefined)).toThrow('feedback needs `positions`, one per group, got undefined');
  expect(observe(0.5)).toThrow('the options of feedback of curriculum must be an object, got 0.5');
  expect(observe({ step: 1, positions: Int32Array.of(0), reward: [1] })).toThrow('did you mean "rewards"?');
});

test('draws without replacement need a counter random and integer groups', () => {
  const weights = Float64Array.of(1, 2, 3);
  const message = 'random must be a counter random, got 7; give counterRandom(seed)';
  expect(() => drawWithoutReplacement(weights, 2, untyped(7))).toThrow(new InvalidArgumentError(message));
  expect(() => drawBalanced(weights, Int32Array.of(0, 0, 1), 2, untyped(Math.random))).toThrow('got a function');
  expect(() => drawBalanced(weights, untyped(['a', 'b', 'b']), 2, counterRandom(1))).toThrow(
    'group "a" at position 0: groups must be integers ≥ 0',
  );
  expect(() => subsetSampler(weights, { seed: 1, epochs: untyped('2') })).toThrow('or Infinity, got "2"');
});
