import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { downloadPairs } from './datasets/download-pairs.js';
import { readRows } from './datasets/read-rows.js';
import { pullModel } from './hub/pull-model.js';
import { readConversations } from './records/conversations.js';
import { mergeNearDuplicates } from './records/near-duplicates.js';
import { readPairs } from './records/pairs.js';
import { readPrompts, uniquePrompts } from './records/prompts.js';
import { readWeights, writeWeights } from './weights-file.js';

/** Every function with an option that it does not have, as JavaScript can pass it, and the name that the message suggests. */
const wrong = <Value>(options: unknown) => options as Value;
const columns = { density: new Float64Array(0), weights: new Float64Array(0) };
const calls: Record<string, [call: () => unknown, unknown: string, suggested: string]> = {
  downloadPairs: [() => downloadPairs('no-folder/x', ['a/b'], wrong({ limits: 3 })), 'limits', 'limit'],
  'columns of downloadPairs': [
    () => downloadPairs('no-folder/x', ['a/b'], { columns: wrong({ choosen: 'best' }) }),
    'choosen',
    'chosen',
  ],
  readRows: [() => readRows('no-file', wrong({ singal: 1 })), 'singal', 'signal'],
  pullModel: [() => pullModel('all-MiniLM-L6-v2', wrong({ endPoint: 'x' })), 'endPoint', 'endpoint'],
  readConversations: [() => readConversations('no-file', wrong({ onBadLines: 'skip' })), 'onBadLines', 'onBadLine'],
  mergeNearDuplicates: [() => mergeNearDuplicates([], wrong({ similarty: 0.5 })), 'similarty', 'similarity'],
  readPairs: [() => readPairs('no-file', wrong({ onBadLines: 'skip' })), 'onBadLines', 'onBadLine'],
  readPrompts: [() => readPrompts('no-file', wrong({ stat: {} })), 'stat', 'stats'],
  readWeights: [() => readWeights('no-file', [], wrong({ signals: 1 })), 'signals', 'signal'],
  writeWeights: [() => writeWeights('no-folder/x', [], columns, wrong({ signals: 1 })), 'signals', 'signal'],
};

test.each(Object.entries(calls))('%s refuses an option that it does not have', async (where, [call, name, near]) => {
  const failed = Promise.resolve().then(call);
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(`${where} has no option "${name}"; did you mean "${near}"?`);
});

test('readers refuse options at the call, not at the first record', () => {
  for (const read of [readPairs, readPrompts, readConversations]) {
    expect(() => read('no-file', { maxLineBytes: 0 })).toThrow('maxLineBytes must be an integer ≥ 1, got 0');
  }
  expect(() => readRows('no-file', wrong({ onEvent: () => {} }))).toThrow('readRows has no option "onEvent"');
});

test('what is not a list of prompts, ids or data sets is refused in words', async () => {
  const record = { id: 'a', prompt: 'p', count: 1, sources: ['s'] };
  const failures: [call: () => Promise<unknown>, string][] = [
    [
      () => mergeNearDuplicates(wrong(new Set([record]))),
      'mergeNearDuplicates needs an array of items, got an object; give [...items]',
    ],
    [() => uniquePrompts(wrong(undefined)), 'uniquePrompts needs a list of items, got undefined'],
    [() => uniquePrompts(wrong(Promise.resolve([record]))), 'got a promise; did you forget await?'],
    [() => uniquePrompts(wrong([record, 'p'])), 'record 1 must be { id, prompt } with two strings, got a string'],
    [() => uniquePrompts(wrong([{ ...record, id: 7 }])), 'got id a number and prompt a string'],
    [() => readWeights('no-file', wrong(new Set(['a']))), 'readWeights needs an array of items, got an object'],
    [
      () => writeWeights('no-folder/x', wrong(new Map().keys()), columns),
      'writeWeights needs an array of items, got an object',
    ],
    [
      () => downloadPairs('no-folder/x', wrong('a/b')),
      'downloadPairs needs a list of items, got a string; give an array',
    ],
  ];
  for (const [call, message] of failures) {
    const failure = call();
    await expect(failure).rejects.toThrow(InvalidArgumentError);
    await expect(failure).rejects.toThrow(message);
  }
});
