import { encodeBase64, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { frozenWeightedSampler } from './frozen-weighted.js';
import { decodeDoubles } from './state/sampler-state.js';
import { type WeightedSampler, weightedSampler } from './weighted.js';

const initial = [4, 0, 1, 2, 3];
const create = () => weightedSampler(initial, { seed: 6 });
const restored = (sampler: WeightedSampler) => {
  const fresh = create();
  fresh.restore(JSON.parse(JSON.stringify(sampler.state())));
  return fresh;
};

describe('adding and removing positions', () => {
  test('added positions are drawn from the next draw on, as if they had always been there', () => {
    const sampler = create();
    sampler.draw(100);
    expect(sampler.add({ version: 1, weights: Float64Array.of(5, 0, 7) })).toBe(5);
    expect(sampler.add({ version: 2, weights: new Float64Array(300).fill(0.01) })).toBe(8);
    const always = weightedSampler([...initial, 5, 0, 7, ...Array(300).fill(0.01)], { seed: 6 });
    always.draw(100);
    const { positions, probabilities, version } = sampler.draw(1000);
    expect(version).toBe(2);
    expect(positions).toEqual(always.draw(1000).positions);
    expect(Math.max(...positions)).toBeGreaterThan(8);
    expect(sampler.weights()).toEqual(always.weights());
    expect(sampler.probabilities().length).toBe(308);
    expect(probabilities[0]).toBe(always.probabilities()[positions[0]!]);
    expect(restored(sampler).draw(200)).toEqual(sampler.draw(200));
  });

  test('removed positions are never drawn again, even after a late update, and others keep their numbers', () => {
    const sampler = create();
    sampler.remove({ version: 1, positions: Int32Array.of(0, 2) });
    sampler.update({
      version: 2,
      positions: Int32Array.from([0, 1, 2, 3, 4]),
      weights: Float64Array.of(9, 9, 9, 1, 1),
    });
    expect(Array.from(sampler.weights())).toEqual([0, 9, 0, 1, 1]);
    for (const position of sampler.draw(1000).positions) expect([1, 3, 4]).toContain(position);
    const fresh = restored(sampler);
    fresh.update({ version: 3, positions: Int32Array.of(0), weights: Float64Array.of(5) });
    expect(fresh.weights()[0]).toBe(0);
  });

  test('a refused change has no effect', () => {
    const sampler = create();
    sampler.add({ version: 4, weights: Float64Array.of(1) });
    const before = JSON.stringify(sampler.state());
    expect(() => sampler.add({ version: 4, weights: Float64Array.of(1) })).toThrow(InvalidArgumentError);
    expect(() => sampler.add({ version: 5, weights: Float64Array.of(1, -1) })).toThrow('weight -1 at position 7');
    expect(() => sampler.remove({ version: 5, positions: Int32Array.of(6) })).toThrow('position 6 is not an integer');
    expect(() => sampler.remove({ version: 5, positions: Int32Array.from([0, 1, 2, 3, 4, 5]) })).toThrow(
      InvalidWeightsError,
    );
    expect(JSON.stringify(sampler.state())).toBe(before);
    expect(Array.from(sampler.weights())).toEqual([...initial, 1]);
  });
});

describe('a long run of updates', () => {
  const change = (sampler: WeightedSampler, step: number) => {
    if (step === 100) sampler.add({ version: step, weights: Float64Array.of(3, 4) });
    else if (step === 500) sampler.remove({ version: step, positions: Int32Array.of(5) });
    else sampler.update({ version: step, positions: Int32Array.of(step % 5), weights: Float64Array.of(1 / step) });
  };

  test('leaves a short state that resumes correctly at every step', () => {
    const sampler = create();
    let longest = 0;
    let snapshots = 0;
    let resumed = create();
    for (let step = 1; step <= 2000; step++) {
      change(sampler, step);
      change(resumed, step);
      expect(resumed.draw(2)).toEqual(sampler.draw(2));
      const text = JSON.stringify(sampler.state());
      longest = Math.max(longest, text.length);
      if (text.includes('"updates":[]')) snapshots++;
      resumed = restored(sampler);
      expect(JSON.stringify(resumed.state())).toBe(text);
    }
    expect(longest).toBeLessThan(6000);
    expect(snapshots).toBeGreaterThan(30);
    expect(sampler.weights()).toEqual(resumed.weights());
    expect(sampler.weights()[5]).toBe(0);
  });

  test('refuses a snapshot of other weights', () => {
    const sampler = create();
    for (let step = 1; step <= 60; step++) change(sampler, step);
    const state = sampler.state();
    const payload = state.payload as { snapshot: { version: number; weights: string } };
    const weights = decodeDoubles(payload.snapshot.weights);
    const refused = (snapshot: unknown) =>
      expect(() => create().restore({ ...state, payload: { ...payload, snapshot } })).toThrow(
        /digest|snapshot|damaged|applied|cannot be read/,
      );
    refused({ ...payload.snapshot, weights: encodeBase64(weights.with(0, 1)) });
    refused({ ...payload.snapshot, weights: encodeBase64(weights.subarray(1)) });
    refused({ ...payload.snapshot, weights: 'AAA' });
    refused({ ...payload.snapshot, weights: '*' });
    refused({ ...payload.snapshot, weights: 3 });
    refused({ ...payload.snapshot, version: 1.5 });
    refused(undefined);
    refused(null);
    expect(() => weightedSampler([4, 0, 1, 2, 3.5], { seed: 6 }).restore(state)).toThrow(/is of sampler .*weights=/);
  });
});

test('float64 numbers survive base64 bit for bit', () => {
  const values = Float64Array.from({ length: 10_000 }, (_, index) => (index % 3 === 0 ? -index : 1 / (index + 1)));
  values.set([0, -0, Infinity, 5e-324, Number.MAX_VALUE, Number.NaN]);
  const buffer = (list: Float64Array) => Buffer.from(list.buffer, list.byteOffset, list.byteLength);
  expect(buffer(decodeDoubles(encodeBase64(values)))).toEqual(buffer(values));
  expect(encodeBase64(values)).toBe(buffer(values).toString('base64'));
  expect(decodeDoubles('').length).toBe(0);
});

describe('frozen weights', () => {
  const frozen = () => frozenWeightedSampler(initial, { seed: 6 });

  test('are drawn in proportion, with the same probabilities as by a weighted sampler', () => {
    const draws = frozen().draw(100_000);
    expect(draws.probabilities).toEqual(Float64Array.from(draws.positions, (position) => initial[position]! / 10));
    expect(draws.version).toBe(0);
    const counts = new Float64Array(5);
    for (const position of draws.positions) counts[position]!++;
    initial.forEach((weight, position) => {
      const deviation = Math.sqrt(100_000 * (weight / 10) * (1 - weight / 10));
      expect(Math.abs(counts[position]! - 10_000 * weight)).toBeLessThanOrEqual(5 * deviation);
    });
  });

  test('refuse the state of a weighted sampler', () => {
    expect(() => frozen().restore(create().state())).toThrow(/state is of sampler/);
  });
});
