import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judge, truthOf } from './ground-truth.js';

interface Row {
  readonly topic: string;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}
const lines = readFileSync(new URL('../data/pairs.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const pairs = lines.map((line) => JSON.parse(line) as Row);

test('every chosen answer of the sample data is good, and no rejected one', () => {
  const wrong = pairs.filter(
    ({ topic, prompt, chosen, rejected }) => !judge(topic, prompt, chosen).good || judge(topic, prompt, rejected).good,
  );
  expect(wrong).toEqual([]);
});

test('the chosen answer to a prompt of another case is not good, and often of another topic', () => {
  const others = pairs.map(({ topic, prompt }, row) => judge(topic, prompt, pairs[(row + 1) % pairs.length]!.chosen));
  expect(others.filter(({ good }) => good).length / pairs.length).toBeLessThan(0.1);
  expect(others.filter(({ onTopic }) => !onTopic).length / pairs.length).toBeGreaterThan(0.8);
});

test('answers that say the same right things have one class, whatever their order, case and frame', () => {
  const { topic, prompt, chosen } = pairs.find(
    (pair) => truthOf(pair.topic, pair.prompt, pair.chosen).right.length === 3,
  )!;
  const [first, second, third] = truthOf(topic, prompt, chosen).right;
  const one = judge(topic, prompt, `${first}. Then ${second}. ${third}.`);
  const other = judge(topic, prompt, `Good question. ${third?.toUpperCase()}, ${second} — ${first}!`);
  expect(one).toEqual(judge(topic, prompt, chosen));
  expect(other.class).toBe(one.class);
  expect(judge(topic, prompt, `${first}. Then ${second}.`).class).not.toBe(one.class);
});

test('one word that does not exist makes a good answer garbled', () => {
  fc.assert(
    fc.property(fc.constantFrom(...pairs), fc.nat(), ({ topic, prompt, chosen }, at) => {
      const all = chosen.split(' ');
      const garbled = [...all.slice(0, at % all.length), 'xqzing', ...all.slice(at % all.length)].join(' ');
      expect(judge(topic, prompt, garbled)).toMatchObject({ garbled: true, good: false });
      expect(truthOf(topic, prompt, garbled).knownShare).toBeCloseTo(
        1 - 1 / (all.filter((w) => w !== '—').length + 1),
        1,
      );
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('an answer without words is not good', () => {
  const { topic, prompt } = pairs[0]!;
  expect(judge(topic, prompt, ' — ')).toEqual({ good: false, class: '', onTopic: false, garbled: true });
});
