import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InvalidArgumentError } from '@rarefy/core';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { event, eventStep, record, records } from './event-file.js';
import { tensorBoardLogger } from './tensorboard-logger.js';

const parent = mkdtempSync(join(tmpdir(), 'tensorboard-'));
afterAll(() => rmSync(parent, { recursive: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(parent, 'run-'));
});
const files = () => readdirSync(folder).sort();
const read = (name: string) => readFileSync(join(folder, name));
const fail = () => {
  throw new Error('damaged');
};
const steps = (name: string) => [...records(read(name), fail)].map(({ data }) => eventStep(data));

/** Logs steps `from` to `to` and closes. */
function run(from: number, to: number, options?: { truncateAfterStep: number }): void {
  const logger = tensorBoardLogger(folder, options);
  for (let step = from; step <= to; step++) logger.log(step, { reward: step / 8 });
  logger.close();
}

test('events have the bytes that TensorBoard 2.21 writes', () => {
  const bytes = Buffer.concat(
    [
      event(1000.25, 0, { fileVersion: 'brain.Event:2' }),
      event(1000.25, 301, { isRestart: true }),
      event(1000.25, 2 ** 40, { scalars: { reward: 0.5, 'rewards/größe/mean': 0 } }),
    ].map(record),
  );
  // tests/python/tensorboard_events.py make
  expect(bytes.toString('hex')).toBe(
    '1800000000000000a37f4b22090000000000428f401a0d627261696e2e4576656e743a3217e9c75d100000000000000095fbfe180900000000' +
      '00428f4010ad023a0208010a827d363e00000000000000d9d240e7090000000000428f40108080808080202a2c0a0d0a067265776172641500' +
      '00003f0a1b0a14726577617264732f6772c3b6c39f652f6d65616e15000000009adcb13c',
  );
  expect([...records(bytes, fail)].map(({ data }) => eventStep(data))).toEqual([0, 301, 2 ** 40]);
});

test('a resumed run removes later steps and tells an open TensorBoard; a new run deletes what it wrote before', () => {
  writeFileSync(join(folder, 'events.out.tfevents.1.other'), 'of another program');
  run(1, 6);
  run(4, 7, { truncateAfterStep: 3 });
  const [other, first, second] = files();
  expect(other).toBe('events.out.tfevents.1.other');
  expect(steps(first!)).toEqual([0, 1, 2, 3]);
  expect(steps(second!)).toEqual([0, 4, 4, 5, 6, 7]); // the first 4 is the restart
  run(8, 8, { truncateAfterStep: Infinity });
  expect(files()).toHaveLength(4);
  expect(steps(files()[3]!)).toEqual([0, 8]);
  run(1, 2);
  expect(files()).toHaveLength(2);
  expect(steps(files()[1]!)).toEqual([0, 1, 2]);
  expect(read(other!).toString()).toBe('of another program');
});

test('a file cut off anywhere resumes with its whole events; a changed byte is an error that names the file', () => {
  run(1, 2);
  const name = files()[0]!;
  const whole = read(name);
  const ends = [...records(whole, fail)].map(({ offset, data }) => offset + data.length + 16);
  for (let cut = 0; cut <= whole.length; cut++) {
    for (const later of files().slice(1)) rmSync(join(folder, later));
    writeFileSync(join(folder, name), whole.subarray(0, cut));
    tensorBoardLogger(folder, { truncateAfterStep: 2 }).close();
    expect(read(name).length).toBe(Math.max(0, ...ends.filter((end) => end <= cut)));
  }
  for (const later of files().slice(1)) rmSync(join(folder, later));
  for (let index = 0; index < whole.length; index++) {
    const changed = Buffer.from(whole);
    changed[index]! ^= 0x10;
    writeFileSync(join(folder, name), changed);
    expect(() => tensorBoardLogger(folder, { truncateAfterStep: 2 })).toThrow(CorruptFileError);
    expect(read(name).equals(changed)).toBe(true);
  }
  expect(() => tensorBoardLogger(folder, { truncateAfterStep: 2 })).toThrow(`${name} is damaged at byte`);
});

test('misspelled options and steps after close are refused', () => {
  expect(() => tensorBoardLogger(folder, { truncateAfter: 3 } as object)).toThrow(InvalidArgumentError);
  const logger = tensorBoardLogger(folder);
  logger.close();
  logger.close();
  expect(() => logger.log(1, {})).toThrow('is closed');
});
