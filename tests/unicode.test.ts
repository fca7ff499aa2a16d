import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';
import { readConversations, readPrompts, uniquePrompts } from '@rarefy/data';
import { readEmbeddings, writeEmbeddings } from '@rarefy/embeddings';
import { describeValue, quoted, writeJsonl } from '@rarefy/io';
import { afterAll, beforeAll, expect, test } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** All different, although many look the same. */
const texts = [
  'a',
  '\ufeffa',
  'a\ufeff',
  ' a',
  'a\u00a0',
  'a\u0000',
  'a\u200d',
  '\u202ea',
  '\u2066a\u2069',
  'e\u0301', // NFD
  '\u00e9', // NFC
  '\u212b', // the Ångström sign; then the letter, precomposed and decomposed
  '\u00c5',
  'A\u030a',
  'ﬁ',
  'fi',
  '👩‍👩‍👧‍👦',
  '👩👩👧👦',
  '🏴\u{e0067}\u{e0062}\u{e007f}',
  '❤',
  '❤\ufe0f',
  '\u2028',
  '\u0085',
  '\u{10ffff}',
  '\ufffd',
  '\ufffe',
  '__proto__',
  'constructor',
  '123',
  '-0',
  '"\\',
];
const halves = ['\ud800', '\udfff', 'a\ud83d', '\ude00\ud83d'];

test('ids and prompts survive JSON Lines character by character, also lone surrogates', async () => {
  const path = join(folder, 'x.jsonl');
  const all = [...texts, ...halves];
  const conversations = all.map((text) => ({ id: text, prompt: `${text}.`, assistant: text, src: text }));
  await writeJsonl(path, conversations);
  const read = [];
  for await (const conversation of readConversations(path)) read.push(conversation);
  expect(read).toEqual(conversations);
  const bytes = await readFile(path);
  expect(bytes.includes(Buffer.from('\ufffd."'))).toBe(true); // U+FFFD that was in the text
  expect(bytes.toString('utf8').match(/\ufffd/g)).toHaveLength(4); // and no other: lone surrogates are written as escapes

  const unique = await uniquePrompts(readPrompts(path));
  expect(unique.map(({ id, prompt }) => [id, prompt])).toEqual(all.map((text) => [text, `${text}.`]));
  await writeJsonl(path, read);
  expect(await readFile(path)).toEqual(bytes);
});

test('texts that are equal only after normalization are two prompts, and an id of two prompts is rejected', async () => {
  const prompts = async (...lines: string[]) => {
    const path = join(folder, 'ids.jsonl');
    await writeFile(path, lines.join('\n'));
    return (await uniquePrompts(readPrompts(path))).map(({ id, count }) => [id, count]);
  };
  expect(await prompts('{"id":"\u00e9","prompt":"\u00e9"}', '{"id":"e\u0301","prompt":"e\u0301"}')).toEqual([
    ['\u00e9', 1],
    ['e\u0301', 1],
  ]);
  expect(await prompts('{"id":"1","prompt":"x"}', '{"id":1,"prompt":"x"}')).toEqual([['1', 2]]);
  for (const [one, other] of [
    ['"\\u00e9"', '"\u00e9"'],
    ['"1"', '1'],
    ['1', '1.0'],
    ['"line-2"', 'null'], // the default of a missing id
  ]) {
    const reading = prompts(`{"id":${one},"prompt":"x"}`, `{"id":${other},"prompt":"y"}`);
    await expect(reading).rejects.toThrow('two different prompts have the id');
  }
});

test.each(['safetensors', 'npy', 'pt', 'parquet', 'arrow'])(
  'ids of .%s survive a round trip, or are rejected before a file is written',
  async (extension) => {
    const rows = (ids: string[]) => ({
      ids,
      embeddings: { data: Float32Array.from(ids, (_, row) => row), rows: ids.length, cols: 1 },
      metadata: { '\ufeffnote': '\ufeff👩‍👩‍👧 \u202e' },
    });
    const path = join(folder, `ids.${extension}`);
    await writeEmbeddings(path, rows(texts));
    const first = await readFile(path);
    const read = await readEmbeddings(path);
    expect(read).toEqual(rows(texts));
    await writeEmbeddings(path, read);
    expect(await readFile(path)).toEqual(first);

    for (const half of halves) {
      const odd = join(folder, `odd.${extension}`);
      const ids = ['a', half, '\ufffd'];
      if (extension === 'safetensors' || extension === 'npy') {
        await writeEmbeddings(odd, rows(ids));
        expect((await readEmbeddings(odd)).ids).toEqual(ids);
      } else {
        const writing = writeEmbeddings(odd, rows(ids));
        await expect(writing).rejects.toBeInstanceOf(InvalidArgumentError);
        await expect(writing).rejects.toThrow('contains a lone surrogate, which UTF-8 cannot represent');
        await expect(readFile(odd)).rejects.toThrow('ENOENT');
      }
    }
  },
);

test('messages show truncated text with control characters escaped', () => {
  expect(quoted('👩‍👧 é')).toBe('"👩\\u200d👧 é"');
  expect(quoted('\u009b31m\u202e\u001b[2J\u2028\ud800\u{e0041}')).toBe(
    '"\\u009b31m\\u202e\\u001b[2J\\u2028\\ud800\\udb40\\udc41"',
  );
  expect(describeValue(`${'x'.repeat(39)}👩${'y'.repeat(1e6)}`)).toBe(`"${'x'.repeat(39)}\\ud83d…"`);
});
