import { InvalidArgumentError, InvalidWeightsError, type WeightUpdate, type WorkEvent } from '@rarefy/core';
import fc from 'fast-check';
import { from, lastValueFrom, Subject, throwError, toArray } from 'rxjs';
import { afterEach, expect, test, vi } from 'vitest';
import { combineUpdates, followUpdates, weightedSampler } from './index.js';

const update = (version: number, weights: Readonly<Record<number, number>>): WeightUpdate => ({
  version,
  positions: Int32Array.from(Object.keys(weights), Number),
  weights: Float64Array.from(Object.values(weights)),
});

afterEach(() => {
  vi.restoreAllMocks();
});

test('density and rewards act on one sampler: weights multiply, and versions grow in the order of arrival', () => {
  const sampler = weightedSampler([2, 4, 8], { seed: 1 }); // weights of density
  const [density, rewards] = [new Subject<WeightUpdate>(), new Subject<WeightUpdate>()];
  const updates = combineUpdates({
    density: { updates: density, weights: sampler.weights() },
    rewards: { updates: rewards },
  });
  const subscription = followUpdates(sampler, updates);

  rewards.next(update(100, { 1: 0.5 }));
  expect([...sampler.weights()]).toEqual([2, 2, 8]);
  density.next(update(1, { 0: 3, 1: 6, 2: 9 })); // its own versions; alone it would come too late
  expect([...sampler.weights()]).toEqual([3, 3, 9]);
  rewards.next(update(101, { 0: 0, 1: 1 }));
  expect([...sampler.weights()]).toEqual([0, 6, 9]);
  expect(sampler.weightsVersion).toBe(3);

  subscription.unsubscribe();
  expect([density.observed, rewards.observed]).toEqual([false, false]);
});

test('what a sampler ends with does not depend on how updates of different sources interleave', () => {
  const weight = fc.integer({ min: 1, max: 64 }).map((value) => value / 8); // products are exact
  const changes = fc.array(fc.dictionary(fc.constantFrom('0', '1', '2', '3'), weight, { minKeys: 1 }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(changes, changes, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (one, other, order) => {
      const base = [1, 2, 3, 4];
      const sampler = weightedSampler(base, { seed: 1 });
      const [a, b] = [new Subject<WeightUpdate>(), new Subject<WeightUpdate>()];
      followUpdates(sampler, combineUpdates({ a: { updates: a, weights: base }, b: { updates: b } }));
      const [left, right] = [
        one.map((given, at) => update(at + 1, given)),
        other.map((given, at) => update(at + 7, given)),
      ];
      for (const isLeft of order) {
        const [subject, waiting] = (isLeft && left.length > 0) || right.length === 0 ? [a, left] : [b, right];
        const next = waiting.shift();
        if (next) subject.next(next);
      }
      const last = (given: readonly object[], initial: readonly number[]) => Object.assign({}, initial, ...given);
      const [ofA, ofB] = [last(one, base), last(other, [1, 1, 1, 1])];
      expect([...sampler.weights()]).toEqual(base.map((_, position) => ofA[position] * ofB[position]));
      expect(sampler.weightsVersion).toBe(one.length + other.length);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('a late or invalid update of one source is reported by name and skipped, and leaves its weights alone', async () => {
  const errors: unknown[] = [];
  const events: WorkEvent[] = [];
  const source = [
    update(5, { 0: 2 }),
    update(5, { 0: 3 }),
    update(6, { 1: Number.NaN }),
    update(6, { [-1]: 1 }),
    { version: 6, positions: Int32Array.of(0, 1), weights: Float64Array.of(1) },
    null as unknown as WeightUpdate,
    update(Number.NaN, { 0: 1 }),
    update(6, { 1: 7 }),
  ];
  const updates = combineUpdates(
    { density: { updates: source }, rewards: { updates: [update(1, { 1: 3 })] } },
    { onError: (error) => errors.push(error), onEvent: (event) => events.push(event) },
  );
  const received = await lastValueFrom(updates.pipe(toArray()));
  expect(received).toEqual([update(1, { 0: 2 }), update(2, { 1: 7 }), update(3, { 1: 21 })]);
  expect(events).toEqual([
    {
      type: 'work-warning',
      task: 'combine-updates',
      code: 'stale-update',
      message: 'update 5 of density came after update 5 and was skipped',
    },
  ]);
  expect(errors.length).toBe(5);
  expect(InvalidWeightsError.isInstance(errors[0])).toBe(true);
  expect(errors.slice(1, 3).every((error) => InvalidArgumentError.isInstance(error))).toBe(true);
});

test('by default, the console warns', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  combineUpdates({
    density: { updates: [update(2, { 0: 2 }), update(1, { 0: 3 }), update(3, { 0: -1 })] },
  }).subscribe();
  expect(warn.mock.calls).toEqual([
    ['combine-updates: update 1 of density came after update 2 and was skipped'],
    ['a weight update was refused or its source failed:', expect.any(InvalidWeightsError)],
  ]);
});

test('a resumed run goes on with the versions and weights that it had', () => {
  const sampler = weightedSampler([2, 4, 8], { seed: 1 });
  const sources = { density: [2, 4, 8], rewards: [1, 1, 1] };
  const follow = (target: typeof sampler, rewards: WeightUpdate[], given: typeof sources, after = 0) =>
    followUpdates(
      target,
      combineUpdates(
        { density: { updates: [], weights: given.density }, rewards: { updates: rewards, weights: given.rewards } },
        { after },
      ),
    );
  follow(sampler, [update(1, { 0: 0.5 }), update(2, { 1: 0.25 })], sources);
  const resumed = weightedSampler([2, 4, 8], { seed: 1 });
  resumed.restore(JSON.parse(JSON.stringify(sampler.state())));
  const later = [update(3, { 0: 3, 2: 2 })];
  follow(resumed, later, { ...sources, rewards: [0.5, 0.25, 1] }, resumed.weightsVersion);
  expect([...resumed.weights()]).toEqual([6, 1, 16]);
  expect(resumed.weightsVersion).toBe(3);
});

test('ends with its sources, fails with one of them, and follows them anew for each subscriber', async () => {
  const updates = combineUpdates({ density: { updates: from([update(1, { 0: 2 })]), weights: [1] } });
  expect(await lastValueFrom(updates.pipe(toArray()))).toEqual([update(1, { 0: 2 })]);
  expect(await lastValueFrom(updates.pipe(toArray()))).toEqual([update(1, { 0: 2 })]);
  const lost = throwError(() => new Error('lost'));
  await expect(lastValueFrom(combineUpdates({ a: { updates: lost }, b: { updates: [] } }))).rejects.toThrow('lost');
});

test('refuses no sources, invalid weights and unknown options', () => {
  const source = { updates: [] };
  expect(() => combineUpdates({})).toThrow(InvalidArgumentError);
  expect(() => combineUpdates({ density: { updates: [], weights: [1, -1] } })).toThrow('weight -1 at position 1');
  for (const after of [-1, 0.5, Number.NaN])
    expect(() => combineUpdates({ source }, { after })).toThrow('after must be');
  expect(() => combineUpdates({ source }, { afther: 1 } as object)).toThrow('did you mean "after"?');
  expect(() => combineUpdates({ density: { updates: [], weight: [1] } as typeof source })).toThrow(
    'did you mean "weights"?',
  );
});

test('sources of another form are refused by name', () => {
  const combine = (sources: unknown) => () => combineUpdates(sources as never);
  for (const [call, message] of [
    [combine(undefined), 'combineUpdates needs sources by name, such as { density: { updates } }, got undefined'],
    [
      combine({ density: new Subject() }),
      'source "density" of combineUpdates must be { updates, weights? }, got an object',
    ],
    [combine({ density: { updates: 3 } }), 'updates of source "density" of combineUpdates needs an observable'],
    [combine({ density: { updates: [], weight: [] } }), 'did you mean "weights"?'],
  ] as const) {
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(message);
  }
});
