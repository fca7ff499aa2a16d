import { createHash } from 'node:crypto';
import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { openFile } from './files/byte-source.js';
import { digestFile, sha256File } from './files/digest-file.js';
import { readBytes } from './files/read-bytes.js';
import { rowFile } from './files/row-file.js';
import { writeAtomically } from './files/write-atomically.js';
import { readJsonl, readLines } from './lines/read-jsonl.js';
import { writeJsonl } from './lines/write-jsonl.js';
import { readSafetensors, writeSafetensors } from './tensors/safetensors.js';
import { type GuardedWorkerOptions, guardedWorker } from './workers/guarded-worker.js';

/** Every function with an option that it does not have, as JavaScript can pass it, and the name that the message suggests. */
const wrong = <Value>(options: unknown) => options as Value;
const signal = wrong<object>({ singal: undefined, signals: AbortSignal.abort() }); // undefined counts as absent
const calls: Record<string, [call: () => unknown, unknown: string, suggested: string]> = {
  openFile: [() => openFile('no-file', signal), 'signals', 'signal'],
  digestFile: [() => digestFile('no-file', createHash('sha256'), signal), 'signals', 'signal'],
  sha256File: [() => sha256File('no-file', signal), 'signals', 'signal'],
  readBytes: [() => readBytes('no-file', wrong({ reused: true })), 'reused', 'reuse'],
  rowFile: [() => rowFile(3, wrong({ folders: '.' })), 'folders', 'folder'],
  writeAtomically: [() => writeAtomically('no-folder/x', [], wrong({ filesystem: 1 })), 'filesystem', 'fileSystem'],
  readJsonl: [() => readJsonl('no-file', wrong({ onBadLines: 'skip' })), 'onBadLines', 'onBadLine'],
  readLines: [() => readLines('no-file', String, wrong({ maxLineByte: 9 })), 'maxLineByte', 'maxLineBytes'],
  writeJsonl: [() => writeJsonl('no-folder/x', [], signal), 'signals', 'signal'],
  readSafetensors: [() => readSafetensors('no-file', signal), 'signals', 'signal'],
  writeSafetensors: [() => writeSafetensors('no-folder/x', {}, {}, signal), 'signals', 'signal'],
  guardedWorker: [
    () => guardedWorker(async () => () => ({ answer: 1 }), wrong<GuardedWorkerOptions<unknown>>({ timeMS: 1 })),
    'timeMS',
    'timeMs',
  ],
};

test.each(Object.entries(calls))('%s refuses an option that it does not have', async (where, [call, name, near]) => {
  const failed = Promise.resolve().then(call);
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(`${where} has no option "${name}"; did you mean "${near}"?`);
});

test('readers refuse options at the call, not at the first line', () => {
  expect(() => readBytes('no-file', wrong(true))).toThrow('the options of readBytes must be an object, got true');
  expect(() => readJsonl('no-file', wrong({ onBadLine: 'stopp' }))).toThrow(
    "onBadLine must be 'stop' or 'skip', got stopp",
  );
  expect(() => readLines('no-file', String, { maxLineBytes: 0 })).toThrow('maxLineBytes must be an integer ≥ 1, got 0');
});

test('rowFile needs a number of columns', async () => {
  await expect(rowFile(wrong('8'))).rejects.toThrow(new InvalidArgumentError('cols must be an integer ≥ 0, got "8"'));
});
