import { counterRandom, InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { mergeNearDuplicates } from './near-duplicates.js';
import type { PromptRecord } from './prompts.js';

const record = (prompt: string, at: number): PromptRecord => ({
  id: `p${at}`,
  prompt,
  count: at + 1,
  sources: [`s${at % 3}`],
});
const words = 'how do i bake bread for many people in the garden why cats purr write a poem about fog and tides'.split(
  ' ',
);

/** Sentences of random words, each followed by copies with a few of its letters changed. */
function prompts(families: number, seed: number): PromptRecord[] {
  const random = counterRandom(seed);
  let index = 0;
  const pick = (size: number) => Math.floor(random.uniform(index++) * size);
  const texts: string[] = [];
  for (let family = 0; family < families; family++) {
    const text = Array.from({ length: 12 + pick(30) }, () => words[pick(words.length)]).join(' ');
    texts.push(text);
    for (let copies = pick(4); copies > 0; copies--) {
      const letters = [...text];
      for (let changes = pick(6); changes > 0; changes--) letters[pick(letters.length)] = 'xyz '[pick(4)]!;
      texts.push(letters.join(''));
    }
  }
  return texts.map(record);
}

/** The definition, by comparing each prompt with every one that stays. */
function naive(records: readonly PromptRecord[], similarity: number): PromptRecord[] {
  const pieces = (text: string) => {
    const clean = text.normalize('NFC').toLowerCase().split(/\s+/).filter(Boolean).join(' ');
    if (clean.length <= 5) return new Set([clean]);
    return new Set(Array.from({ length: clean.length - 4 }, (_, at) => clean.slice(at, at + 5)));
  };
  const kept: { record: PromptRecord; set: Set<string> }[] = [];
  for (const own of records) {
    const set = pieces(own.prompt);
    const first = kept.find((other) => {
      const common = [...set].filter((piece) => other.set.has(piece)).length;
      return common / (set.size + other.set.size - common) >= similarity;
    });
    if (!first) kept.push({ record: own, set });
    else {
      const { count, sources } = first.record;
      const united = [...sources, ...own.sources.filter((source) => !sources.includes(source))];
      first.record = { ...first.record, count: count + own.count, sources: united };
    }
  }
  return kept.map(({ record }) => record);
}

// A pair at the limit is overlooked with a chance of at most 0.1 %; with these seeds none is.
test.each([0.5, 0.7, 0.8, 0.9, 1])('merges what the definition merges, at similarity %s', async (similarity) => {
  const records = prompts(150, 3);
  const merged = await mergeNearDuplicates(records, { similarity, seed: 1 });
  expect(merged).toEqual(naive(records, similarity));
  expect(merged.length).toBeLessThan(records.length);
  expect(merged.reduce((sum, { count }) => sum + count, 0)).toBe(records.reduce((sum, { count }) => sum + count, 0));
});

test('prompts that differ in case, white space or Unicode form are equal; the first is kept unchanged', async () => {
  const texts = ['Où est le café?', 'où  est\nle cafe\u0301?', '', ' ', 'a', 'A', 'b'];
  const merged = await mergeNearDuplicates(texts.map(record), { similarity: 1 });
  expect(merged.map(({ prompt, count }) => [prompt, count])).toEqual([
    ['Où est le café?', 3],
    ['', 7],
    ['a', 11],
    ['b', 7],
  ]);
});

test('results are deterministic; a similarity out of range is rejected; an abort rejects, also before the start', async () => {
  const records = prompts(60, 5);
  const once = await mergeNearDuplicates(records, { similarity: 0.6, seed: 9 });
  expect(await mergeNearDuplicates(records, { similarity: 0.6, seed: 9 })).toEqual(once);
  for (const similarity of [0, -1, 1.1, Number.NaN]) {
    await expect(mergeNearDuplicates(records, { similarity })).rejects.toBeInstanceOf(InvalidArgumentError);
  }
  const reason = new Error('enough');
  const many = Array.from({ length: 40 }, () => records).flat();
  await expect(mergeNearDuplicates(many, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const events: unknown[] = [];
  const signal = AbortSignal.abort(reason);
  await expect(mergeNearDuplicates([], { signal, onEvent: (event) => events.push(event) })).rejects.toBe(reason);
  await expect(mergeNearDuplicates(records.slice(0, 1), { signal })).rejects.toBe(reason);
  expect(events).toEqual([]);
});
