import { StateMismatchError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { promptsDigest } from './prompts-digest.js';

const records = Array.from({ length: 20 }, (_, row) => ({ id: `id ${row}`, prompt: `prompt ${row}`, answer: row }));

test('ids, texts, their borders and their order count, and nothing else', () => {
  const saved = promptsDigest(records).state();
  promptsDigest(records.map(({ id, prompt }) => ({ prompt, id, answer: 0 }))).check(saved);
  for (const others of [
    records.toReversed(),
    records.with(19, { ...records[19]!, prompt: 'prompt 19 ' }),
    records.with(3, { ...records[3]!, id: 'id 4' }),
    records.with(5, { ...records[5]!, id: 'id 5p', prompt: 'rompt 5' }),
    records.map(({ prompt }) => prompt),
  ]) {
    expect(() => promptsDigest(others).check(saved)).toThrow(StateMismatchError);
  }
  const texts = promptsDigest(['ab', 'c', '']).state();
  expect(() => promptsDigest(['a', 'bc', '']).check(texts)).toThrow('first at position 0, which now has "a"');
  expect(() => promptsDigest(['ab', '', 'c']).check(texts)).toThrow('first at position 1, which now has ""');
  expect(() => promptsDigest(records.with(18, records[17]!)).check(saved)).toThrow('one of the positions 16 to 19');
});

test('prompts that are added are read once, and the others not again', () => {
  let reads = 0;
  const counted = (text: string) => ({
    get prompt() {
      reads++;
      return text;
    },
  });
  const prompts = ['a', 'b', 'c'].map(counted);
  const digest = promptsDigest(prompts);
  const early = digest.state();
  expect(digest.state()).toBe(early);
  expect(reads).toBe(3);
  prompts.push(counted('d'), counted('e'));
  const later = digest.state();
  expect(reads).toBe(5);
  expect(later).toEqual(promptsDigest(['a', 'b', 'c', 'd', 'e'].map(counted)).state());
  digest.check(early);
  digest.check(later);
  prompts.length = 3;
  expect(digest.state()).toEqual(early);
});

test('other kinds of prompts are counted, and numbers told apart', () => {
  const saved = promptsDigest([{ messages: [] }, { messages: [] }]).state();
  promptsDigest([{ messages: [1] }, {}]).check(saved);
  expect(() => promptsDigest([{}]).check(saved)).toThrow('had 2 prompts and the loader has 1');
  expect(() => promptsDigest([1, 2]).check(promptsDigest([1, 3]).state())).toThrow('position 1, which now has 2');
  promptsDigest([]).check(promptsDigest([]).state());
});
