import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { JsonlStats } from '@rarefy/io';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readConversations } from './conversations.js';
import { type Pair, readPairs } from './pairs.js';
import { readPrompts, uniquePrompts } from './prompts.js';
import { transcriptMessages } from './transcript.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(...lines: readonly unknown[]): Promise<string> {
  const path = join(folder, 'records.jsonl');
  await writeFile(path, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  return path;
}

async function all<Value>(records: AsyncIterable<Value>): Promise<Value[]> {
  const result: Value[] = [];
  for await (const record of records) result.push(record);
  return result;
}

const pair: Pair = { id: 'p', src: 'kitchen', prompt: 'How?', chosen: 'So.', rejected: 'No.' };

test('pairs: known fields are kept, others dropped, missing id and src filled in', async () => {
  const path = await file(
    { ...pair, topic: 'soup', scenario: 'other', extra: { deep: 1 } },
    { prompt: 'Why?', chosen: '', rejected: 'x', id: null, topic: 7 },
    { ...pair, id: 42 },
    '{"id":"x","src":"s","prompt":"p","chosen":"c","rejected":"r","__proto__":{"topic":"polluted"}}',
  );
  expect(await all(readPairs(path))).toEqual([
    { ...pair, topic: 'soup' },
    { id: 'line-2', src: 'unknown', prompt: 'Why?', chosen: '', rejected: 'x' },
    { ...pair, id: '42' },
    { id: 'x', src: 's', prompt: 'p', chosen: 'c', rejected: 'r' },
  ]);
});

const bad: [string, unknown, string][] = [
  ['not-an-object', 7, 'a record must be a JSON object, got 7'],
  ['not-an-object', [pair], 'got an array'],
  ['not-an-object', 'null', 'got null'],
  ['bad-id', { ...pair, id: '' }, 'id must be a non-empty string or a safe integer, got an empty string'],
  ['bad-id', { ...pair, id: 2 ** 53 }, 'got 9007199254740992'],
  ['bad-id', { ...pair, id: 1.5 }, 'got 1.5'],
  ['bad-id', { ...pair, id: {} }, 'got an object'],
  ['bad-source', { ...pair, src: 3 }, 'src must be a non-empty string, got 3'],
  ['no-prompt', { ...pair, prompt: undefined }, 'prompt must be a non-blank string, got nothing'],
  ['no-prompt', { ...pair, prompt: ' \n\t' }, 'prompt must be a non-blank string, got a blank string'],
  ['no-prompt', { ...pair, prompt: ['x'] }, 'prompt must be a non-blank string, got an array'],
  ['no-answer', { ...pair, chosen: null }, 'chosen must be a string, got null'],
  ['no-answer', { ...pair, rejected: 5 }, 'rejected must be a string, got 5'],
  ['bad-margin', { ...pair, margin: '2' }, 'margin must be a finite number, got "2"'],
];

test.each(bad)('pairs: a line is refused as %s: %j', async (reason, line, message) => {
  const path = await file(pair, line, pair);
  const seen: Pair[] = [];
  const reading = (async () => {
    for await (const record of readPairs(path)) seen.push(record);
  })();
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.toThrow(`${path}, line 2 (byte ${JSON.stringify(pair).length + 1}): `);
  expect(seen).toEqual([pair]);

  const stats: JsonlStats = { records: 0, skipped: {} };
  expect(await all(readPairs(path, { onBadLine: 'skip', stats }))).toEqual([pair, pair]);
  expect(stats).toEqual({ records: 2, skipped: { [reason]: 1 } });
});

test('a file without records is an error for every reader', async () => {
  const path = await file('', '  ');
  await expect(all(readPairs(path))).rejects.toThrow(`${path} has no pairs: it is empty.`);
  await expect(all(readConversations(path))).rejects.toThrow('has no conversations');
  await expect(all(readPrompts(path))).rejects.toThrow('has no prompts');
  const skipped = readPairs(await file(1, 2), { onBadLine: 'skip' });
  await expect(all(skipped)).rejects.toThrow('it is empty, or every line was skipped');
});

test('conversations: an answer and a source are optional', async () => {
  const path = await file(
    { id: 1, prompt: 'a', assistant: 'b', src: 's', other: 1 },
    { id: 'x', prompt: 'c', assistant: null },
  );
  expect(await all(readConversations(path))).toEqual([
    { id: '1', prompt: 'a', assistant: 'b', src: 's' },
    { id: 'x', prompt: 'c' },
  ]);
  await expect(all(readConversations(await file({ prompt: 'a', assistant: 3 })))).rejects.toThrow(
    'assistant must be a string',
  );
});

test('prompts are read from pairs, conversations and prompt records', async () => {
  const record = { id: 'r', prompt: 'c', count: 3, sources: ['s', 't', 's'], topic: 'u' };
  expect(await all(readPrompts(await file(pair, { prompt: 'b' }, record)))).toEqual([
    { id: 'p', prompt: 'How?', count: 1, sources: ['kitchen'] },
    { id: 'line-2', prompt: 'b', count: 1, sources: ['unknown'] },
    { id: 'r', prompt: 'c', count: 3, sources: ['s', 't'], topic: 'u' },
  ]);
  for (const wrong of [
    { count: 0 },
    { count: 1.5 },
    { count: '2' },
    { sources: [] },
    { sources: 's' },
    { sources: [1] },
  ]) {
    await expect(all(readPrompts(await file({ ...record, ...wrong })))).rejects.toThrow(/count must|sources must/);
  }
});

test('uniquePrompts merges equal texts in order of first appearance, and only equal ones', async () => {
  const rows = [
    { ...pair, id: 'a', prompt: 'one', src: 's2', topic: 'first' },
    { ...pair, id: 'b', prompt: 'two', src: 's1' },
    { ...pair, id: 'c', prompt: 'one', src: 's1', topic: 'second' },
    { id: 'd', prompt: 'one ' },
    { id: 'e', prompt: 'two', count: 5, sources: ['s3', 's1'] },
    { ...pair, id: 'a', prompt: 'one', src: 's2' },
  ];
  const expected = [
    { id: 'a', prompt: 'one', count: 3, sources: ['s2', 's1'], topic: 'first' },
    { id: 'b', prompt: 'two', count: 6, sources: ['s1', 's3'] },
    { id: 'd', prompt: 'one ', count: 1, sources: ['unknown'] },
  ];
  expect(await uniquePrompts(rows)).toEqual(expected);
  expect(await uniquePrompts(await uniquePrompts(rows))).toEqual(expected);
  const clash = [pair, { ...pair, prompt: 'Else?' }];
  await expect(uniquePrompts(clash)).rejects.toThrow('two different prompts have the id "p"');
});

test('standard input is read, plain and gzip, in chunks of any size', async () => {
  const text = `${JSON.stringify(pair)}\n`;
  for (const input of [Buffer.from(text), gzipSync(text)]) {
    for (const size of [1, input.length]) {
      const pieces = Array.from({ length: Math.ceil(input.length / size) }, (_, index) =>
        input.subarray(index * size, (index + 1) * size),
      );
      const stdin = vi.spyOn(process, 'stdin', 'get').mockReturnValue(Readable.from(pieces) as typeof process.stdin);
      expect(await all(readPairs('-'))).toEqual([pair]);
      stdin.mockReturnValue(Readable.from([Buffer.from('{')]) as typeof process.stdin);
      await expect(all(readPairs('-'))).rejects.toThrow('standard input, line 1 (byte 0): the line is not JSON');
      stdin.mockRestore();
    }
  }
});

test('a transcript becomes messages, and any other text is one turn of the user', () => {
  expect(transcriptMessages('Human: one\n\nstill one\n\nAssistant: two\n\nHuman: three ')).toEqual([
    { role: 'user', content: 'one\n\nstill one' },
    { role: 'assistant', content: 'two' },
    { role: 'user', content: 'three' },
  ]);
  expect(transcriptMessages('Human: only one')).toEqual([{ role: 'user', content: 'only one' }]);
  for (const text of ['a question', 'Human: one\n\nAssistant: two', 'about Human: one', '']) {
    expect(transcriptMessages(text)).toEqual([{ role: 'user', content: text }]);
  }
});
