import { InvalidArgumentError, InvalidWeightsError, type WeightUpdate, type WorkEvent } from '@rarefy/core';
import { from, Subject } from 'rxjs';
import { afterEach, expect, test, vi } from 'vitest';
import { followUpdates } from './follow-updates.js';
import { uniformSampler } from './uniform.js';
import { weightedSampler } from './weighted.js';

const create = () => weightedSampler([1, 1, 1], { seed: 1 });
const update = (version: number, weight: number): WeightUpdate => ({
  version,
  positions: Int32Array.of(0),
  weights: Float64Array.of(weight),
});

afterEach(() => {
  vi.restoreAllMocks();
});

test('updates change later draws, until the subscription ends', () => {
  const sampler = create();
  const updates = new Subject<WeightUpdate>();
  const subscription = followUpdates(sampler, updates);
  updates.next(update(3, 0));
  expect(sampler.draw(1000).positions).not.toContain(0);
  subscription.unsubscribe();
  updates.next(update(4, 9));
  expect(sampler.weightsVersion).toBe(3);
  expect(updates.observed).toBe(false);
});

test('an async iterable, an array and a promise are sources too', async () => {
  const sampler = create();
  followUpdates(sampler, [update(1, 2), update(2, 3)]);
  expect(sampler.weights()[0]).toBe(3);
  followUpdates(sampler, Promise.resolve(update(3, 4)));
  const finished = new Promise<void>((resolve) => {
    followUpdates(
      sampler,
      (async function* () {
        yield update(5, 6);
        yield update(7, 8);
        resolve();
      })(),
    );
  });
  await finished;
  expect(sampler.weightsVersion).toBe(7);
  expect(sampler.weights()[0]).toBe(8);
});

test('an update that comes too late is skipped and reported', () => {
  const sampler = create();
  const events: WorkEvent[] = [];
  const onError = vi.fn();
  followUpdates(sampler, [update(5, 2), update(5, 3), update(4, 4), update(6, 5)], {
    onError,
    onEvent: (e) => events.push(e),
  });
  expect(sampler.weights()[0]).toBe(5);
  expect(events.map((event) => event.type === 'work-warning' && event.message)).toEqual([
    'update 5 came after update 5 and was skipped; versions must grow: after a resume, continue from sampler.weightsVersion',
    'update 4 came after update 5 and was skipped; versions must grow: after a resume, continue from sampler.weightsVersion',
  ]);
  expect(onError).not.toHaveBeenCalled();
});

test('by default, the console warns of updates that come too late or are refused', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  followUpdates(create(), [update(5, 2), update(4, 3), update(6, -1)]);
  expect(warn.mock.calls).toEqual([
    [
      'follow-updates: update 4 came after update 5 and was skipped; versions must grow: after a resume, continue from sampler.weightsVersion',
    ],
    ['a weight update was refused or its source failed:', expect.any(InvalidWeightsError)],
  ]);
});

test('an unknown option is refused', () => {
  const options = { onevent: () => {} } as object;
  expect(() => followUpdates(create(), [], options)).toThrow(InvalidArgumentError);
  expect(() => followUpdates(create(), [], options)).toThrow('did you mean "onEvent"?');
});

test('a refused update is reported, changes nothing, and the next one is applied', () => {
  const sampler = create();
  const errors: unknown[] = [];
  const source = [update(1, Number.NaN), null as unknown as WeightUpdate, update(Number.NaN, 1), update(1, 7)];
  followUpdates(sampler, source, { onError: (error) => errors.push(error) });
  expect(errors.length).toBe(3);
  expect(InvalidWeightsError.isInstance(errors[0])).toBe(true);
  expect(sampler.weights()[0]).toBe(7);
});

test('a failure of the source is reported once, nothing is left unhandled, and the sampler continues', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const failure = new Error('the policy is gone');
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const sampler = create();
  const onError = vi.fn();
  const failing = async function* () {
    yield update(1, 2);
    throw failure;
  };
  followUpdates(sampler, failing(), { onError });
  followUpdates(create(), from(Promise.reject(failure)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(onError.mock.calls).toEqual([[failure]]);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(unhandled).not.toHaveBeenCalled();
  process.off('unhandledRejection', unhandled);
  expect(sampler.draw(3).version).toBe(1);
});

test('swapped arguments, a sampler that was not awaited, and values that are not sources are refused', () => {
  const source = [update(1, 2)];
  const follow = (sampler: unknown, from: unknown) => () => followUpdates(sampler as never, from as never);
  for (const [call, message] of [
    [follow(source, create()), 'needs a sampler whose weights can change, got an array'],
    [follow(Promise.resolve(create()), source), 'got a promise; did you forget await?'],
    [follow(uniformSampler(3, { seed: 1 }), source), 'got one whose weights cannot change'],
    [follow(create(), undefined), 'the source of followUpdates needs an observable, promise, iterable'],
    [follow(create(), update(1, 2)), 'async iterable, got an object'],
  ] as const) {
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(message);
  }
});
