import { counterRandom, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { sampleStream } from './sample-stream.js';

const numbers = (size: number) => Array.from({ length: size }, (_, index) => index);

test('a long stream: items of equal weight are kept equally often (five standard errors)', async () => {
  const [size, count, samples] = [500, 20, 4000];
  const random = counterRandom(3);
  const weight = (item: number) => (item % 10 === 0 ? 4 : 1);
  let [heavy, firstHalf] = [0, 0];
  for (let seed = 0; seed < samples; seed++) {
    const sample = await sampleStream(numbers(size), { count, weight, seed });
    expect(new Set(sample).size).toBe(count);
    heavy += sample.filter((item) => item % 10 === 0).length;
    firstHalf += sample.filter((item) => item < size / 2).length;
  }
  // By drawing one after the other, which other tests check against the distribution.
  let [expectedHeavy, expectedDraws] = [0, 0];
  for (let sample = 0; sample < samples; sample++) {
    let [heavyLeft, lightLeft] = [50, 450];
    for (let draw = 0; draw < count; draw++, expectedDraws++) {
      if (random.uniform(sample * count + draw) * (4 * heavyLeft + lightLeft) < 4 * heavyLeft) {
        heavyLeft--;
        expectedHeavy++;
      } else lightLeft--;
    }
  }
  const deviation = Math.sqrt(2 * expectedDraws * 0.31 * 0.69);
  expect(Math.abs(heavy - expectedHeavy)).toBeLessThan(5 * deviation);
  expect(Math.abs(firstHalf - (samples * count) / 2)).toBeLessThan(5 * Math.sqrt((samples * count) / 4));
});

test('takes asynchronous streams and any items, computes each weight once, and keeps all of a short stream', async () => {
  async function* words() {
    yield* ['a', 'b', '', 'c'];
  }
  const asked: number[] = [];
  const weight = (word: string, index: number) => {
    asked.push(index);
    return word.length;
  };
  const sample = await sampleStream(words(), { count: 10, weight, seed: 1 });
  expect(sample.toSorted()).toEqual(['a', 'b', 'c']);
  expect(asked).toEqual([0, 1, 2, 3]);
  expect(await sampleStream(words(), { count: 0, weight, seed: 1 })).toEqual([]);
  const again = { count: 2, weight: () => 1, seed: 5 };
  expect(await sampleStream(numbers(50), again)).toEqual(await sampleStream(numbers(50), again));
});

test('an endless synchronous stream lets timers run and is stopped by one', async () => {
  function* ones() {
    for (;;) yield 1;
  }
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 30);
  const stopped = sampleStream(ones(), { count: 3, weight: () => 1, seed: 1, signal: controller.signal });
  await expect(stopped).rejects.toThrow('enough');
});

test('refuses invalid weights and counts, and stops on abort', async () => {
  const sample = (weight: (item: number) => number, count = 2) => sampleStream(numbers(5), { count, weight, seed: 1 });
  await expect(sample((item) => (item === 3 ? Number.NaN : 1))).rejects.toThrow('weight NaN of item 3');
  await expect(sample(() => -1)).rejects.toThrow(InvalidWeightsError);
  await expect(sample(() => 1, 1.5)).rejects.toThrow(InvalidArgumentError);
  const controller = new AbortController();
  let seen = 0;
  const stopped = sampleStream(numbers(1000), {
    count: 3,
    seed: 1,
    signal: controller.signal,
    weight: () => {
      if (++seen === 10) controller.abort(new Error('enough'));
      return 1;
    },
  });
  await expect(stopped).rejects.toThrow('enough');
  expect(seen).toBe(10);
});
