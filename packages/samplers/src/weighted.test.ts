import { counterRandom, InvalidArgumentError, InvalidWeightsError, iterate, StateMismatchError } from '@rarefy/core';
import { samplerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type WeightedSampler, weightedSampler } from './weighted.js';

const initial = [4, 0, 1, 2, 3, 0.5, 1e-7, 9];
const create = () => weightedSampler(initial, { seed: 2 ** 40 + 7 });
const update = (version: number, positions: number[], weights: number[]) => ({
  version,
  positions: Int32Array.from(positions),
  weights: Float64Array.from(weights),
});

describeChecks('weightedSampler', samplerChecks({ create }));
describeChecks('weightedSampler of one position', samplerChecks({ create: () => weightedSampler([3], { seed: 0 }) }));
describeChecks(
  'weightedSampler after an update',
  samplerChecks({
    create() {
      const sampler = weightedSampler(initial, { seed: 5 });
      sampler.update(update(3, [7, 1], [0, 6]));
      return sampler;
    },
  }),
);

test('draw n is the position whose share of the weights contains uniform n', () => {
  const random = counterRandom(9);
  const expected = Array.from({ length: 50 }, (_, draw) => {
    const at = random.uniform(draw) * 10;
    return at < 1 ? 0 : at < 3 ? 1 : at < 6 ? 2 : 3;
  });
  const draws = weightedSampler([1, 2, 3, 4], { seed: 9 }).draw(50);
  expect(Array.from(draws.positions)).toEqual(expected);
  expect(Array.from(draws.probabilities)).toEqual(expected.map((position) => (position + 1) / 10));
  expect(draws).toMatchObject({ first: 0, version: 0 });
});

test('iterate yields the stream one by one', () => {
  const stream = iterate(create());
  expect(Array.from({ length: 20 }, () => stream.next().value)).toEqual(Array.from(create().draw(20).positions));
});

describe('updates', () => {
  test('are in force from the next draw on, for draws, probabilities and weights', () => {
    const sampler = create();
    const before = sampler.draw(100);
    sampler.update(update(12, [7, 0], [0, 8]));
    const after = sampler.draw(100);
    expect(before.positions).toEqual(create().draw(100).positions);
    expect(before.version).toBe(0);
    expect(after.version).toBe(12);
    expect(after.positions).not.toContain(7);
    expect(after.first).toBe(100);
    expect(sampler.weightsVersion).toBe(12);
    expect(Array.from(sampler.weights())).toEqual([8, 0, 1, 2, 3, 0.5, 1e-7, 0]);
    expect(sampler.probabilities()[0]).toBeCloseTo(8 / 14.5, 6);
  });

  test('that are refused change nothing', () => {
    const sampler = create();
    sampler.update(update(5, [0], [1]));
    sampler.draw(3);
    const before = JSON.stringify(sampler.state());
    const weights = sampler.weights();
    const refused = (bad: ReturnType<typeof update>) => expect(() => sampler.update(bad));
    refused(update(5, [0], [1])).toThrow('version 5; it must be an integer above 5');
    refused(update(4, [0], [1])).toThrow(InvalidArgumentError);
    refused(update(Number.NaN, [0], [1])).toThrow(InvalidArgumentError);
    refused(update(6.5, [0], [1])).toThrow(InvalidArgumentError);
    refused(update(6, [0, 1], [1])).toThrow('2 positions and 1 weights');
    refused(update(6, [0, 8], [7, 1])).toThrow('position 8 is not an integer in [0, 8)');
    refused(update(6, [0, 1, 2], [7, 7, Number.NaN])).toThrow('weight NaN at position 2');
    refused(update(6, [0, 0, 1], [7, 8, -1])).toThrow(InvalidWeightsError);
    refused(update(6, [0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 0, 0, 0])).toThrow('all 8 weights are zero');
    expect(JSON.stringify(sampler.state())).toBe(before);
    expect(sampler.weights()).toEqual(weights);
  });

  test('with positions in a plain array, as from JSON, are the same, and resume', () => {
    const [sampler, listed] = [create(), create()];
    sampler.update(update(1, [0, 3], [5, 6]));
    listed.update({ version: 1, positions: [0, 3], weights: [5, 6] } as unknown as ReturnType<typeof update>);
    sampler.remove({ version: 2, positions: Int32Array.of(4) });
    listed.remove({ version: 2, positions: [4] } as unknown as ReturnType<typeof update>);
    expect(listed.state()).toEqual(sampler.state());
    const restored = create();
    restored.restore(JSON.parse(JSON.stringify(listed.state())));
    expect(restored.weights()).toEqual(sampler.weights());
    for (const position of [0.5, '1', 2 ** 32, Number.NaN, null]) {
      const wrong = { version: 3, positions: [0, position], weights: [1, 1] } as unknown as ReturnType<typeof update>;
      expect(() => listed.update(wrong)).toThrow(`position ${position} is not an int32`);
    }
    expect(listed.state()).toEqual(sampler.state());
  });

  test('are copied', () => {
    const sampler = create();
    const given = update(1, [0], [100]);
    sampler.update(given);
    given.weights.fill(3);
    given.positions.fill(2);
    const restored = create();
    restored.restore(sampler.state());
    expect(restored.weights()[0]).toBe(100);
  });
});

/** A run of draws and updates, mixed by a seed. */
function play(sampler: WeightedSampler, from: number, to: number, seed: number, onStep = () => {}): number[] {
  const random = counterRandom(seed);
  const drawn: number[] = [];
  for (let step = from; step < to; step++) {
    onStep();
    const choice = (at: number, size: number) => Math.floor(random.uniform(step * 16 + at) * size);
    if (choice(0, 3) > 0) {
      drawn.push(...sampler.draw(1 + choice(1, 4)).positions);
    } else {
      const positions = [choice(2, initial.length), choice(3, initial.length)];
      const weights = [random.uniform(step * 16 + 4), step % 4 === 0 ? -0 : 10 ** choice(5, 9)];
      sampler.update(update(sampler.weightsVersion + 1 + choice(6, 5), positions, weights));
    }
  }
  return drawn;
}

describe('states', () => {
  test('at every step of a run with updates, restored in a new sampler through JSON, give the rest of the run', () => {
    for (let seed = 0; seed < 5; seed++) {
      const states: string[] = [];
      const sampler = create();
      play(sampler, 0, 60, seed, () => states.push(JSON.stringify(sampler.state())));
      const end = JSON.stringify(sampler.state());
      const tail = sampler.draw(100);
      states.push(end);
      for (const state of states) {
        const fresh = create();
        fresh.restore(JSON.parse(state));
        expect(JSON.stringify(fresh.state())).toBe(state);
      }
      const last = create();
      last.restore(JSON.parse(end));
      expect(last.draw(100)).toEqual(tail);
      expect(last.weights()).toEqual(sampler.weights());
    }
  });

  test('let a run continue with later updates, to the same end', () => {
    const whole = create();
    const drawn = play(whole, 0, 40, 8);
    for (let cut = 0; cut <= 40; cut += 5) {
      const first = create();
      const head = play(first, 0, cut, 8);
      const second = create();
      second.restore(JSON.parse(JSON.stringify(first.state())));
      expect([...head, ...play(second, cut, 40, 8)]).toEqual(drawn);
      expect(second.state()).toEqual(whole.state());
    }
  });

  test('are restored over later draws and updates', () => {
    const sampler = create();
    sampler.update(update(2, [3], [50]));
    sampler.draw(10);
    const state = sampler.state();
    const expected = sampler.draw(20);
    sampler.update(update(9, [3, 4], [0, 0]));
    sampler.restore(state);
    expect(sampler.draw(20)).toEqual(expected);
    sampler.update(update(3, [3], [1]));
  });

  test('are refused by a sampler with other weights, another size or seed', () => {
    const state = create().state();
    const changed = initial.with(2, 1 + 2 ** -52);
    expect(() => weightedSampler(changed, { seed: 2 ** 40 + 7 }).restore(state)).toThrow(
      /is of sampler .*weights=.* the same weights and options/,
    );
    expect(() => weightedSampler([...initial, 1], { seed: 2 ** 40 + 7 }).restore(state)).toThrow(StateMismatchError);
    expect(() => weightedSampler(initial, { seed: 7 }).restore(state)).toThrow(StateMismatchError);
  });

  test('with any one character changed are refused, or mean the same', () => {
    const original = create();
    original.update(update(4, [3, 1], [50.25, 1e-3]));
    original.draw(12);
    original.update(update(7, [0], [0.1]));
    original.draw(3);
    const text = JSON.stringify(original.state());
    const expected = original.draw(30);
    const used = create();
    let refused = 0;
    for (let at = 0; at < text.length; at++) {
      for (const character of ['0', '1', '9', '-', '.', 'e', '"', ']', 'x', ' ']) {
        if (character === text[at]) continue;
        let state: unknown;
        try {
          state = JSON.parse(text.slice(0, at) + character + text.slice(at + 1));
        } catch {
          continue;
        }
        try {
          used.restore(state as ReturnType<typeof used.state>);
        } catch (error) {
          expect(StateMismatchError.isInstance(error), `${error} for ${character} at ${at}`).toBe(true);
          refused++;
          continue;
        }
        expect(used.draw(30)).toEqual(expected);
      }
    }
    expect(refused).toBeGreaterThan(500);
  });

  test('of any other shape are refused with a typed error, and the sampler continues as before', () => {
    const sampler = create();
    sampler.draw(4);
    const before = sampler.state();
    const payload = before.payload as Record<string, unknown>;
    const bad: unknown[] = [null, undefined, 3, 'state', {}, { ...before, payload: null }, { ...before, payload: 4 }];
    for (const [field, values] of Object.entries({
      next: [-1, 1.5, '4', null, 2 ** 60],
      seed: [0, null],
      weightsVersion: [1, '0'],
      digest: ['', 0, null],
      updates: [
        null,
        {},
        [null],
        [{}],
        [{ next: 0, version: 1, positions: [99], weights: [1] }],
        [{ next: 0, version: 1, positions: ['0'], weights: [1] }],
      ],
    })) {
      for (const value of values) bad.push({ ...before, payload: { ...payload, [field]: value } });
    }
    for (const state of bad) {
      expect(() => sampler.restore(state as typeof before), JSON.stringify(state)).toThrow(StateMismatchError);
    }
    expect(sampler.state()).toEqual(before);
  });

  test('share no data that a caller could change', () => {
    const sampler = create();
    sampler.update(update(1, [0], [2]));
    const state = sampler.state();
    const { updates } = state.payload as { updates: { weights: number[] }[] };
    expect(() => updates[0]!.weights.push(1)).toThrow(TypeError);
    updates.pop();
    expect((sampler.state().payload as { updates: unknown[] }).updates.length).toBe(1);
  });
});

test('any weights give probabilities that sum to 1 and never draw a zero weight', () => {
  const weightLists = fc
    .array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e298, noNaN: true })), { minLength: 1, maxLength: 40 })
    .filter((weights) => weights.some((weight) => weight > 0));
  fc.assert(
    fc.property(weightLists, fc.maxSafeInteger(), (weights, seed) => {
      const sampler = weightedSampler(weights, { seed });
      const sum = sampler.probabilities().reduce((total, probability) => total + probability, 0);
      expect(Math.abs(sum - 1)).toBeLessThan(1e-9);
      for (const position of sampler.draw(50).positions) expect(weights[position]).toBeGreaterThan(0);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('refuses invalid arguments', () => {
  expect(() => weightedSampler([], { seed: 1 })).toThrow('all 0 weights are zero');
  expect(() => weightedSampler([0, 0], { seed: 1 })).toThrow(InvalidWeightsError);
  expect(() => weightedSampler([1, -1], { seed: 1 })).toThrow('weight -1 at position 1');
  expect(() => weightedSampler([1], { seed: 0.5 })).toThrow(InvalidArgumentError);
  for (const count of [-1, 0.5, Number.NaN]) expect(() => create().draw(count)).toThrow(InvalidArgumentError);
});
