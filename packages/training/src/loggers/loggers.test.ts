import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MetricLogger } from '@rarefy/core';
import { CorruptFileError, InvalidArgumentError } from '@rarefy/core';
import { afterAll, expect, test } from 'vitest';
import { combineLoggers, consoleLogger } from './basic-loggers.js';
import { jsonlLogger } from './jsonl-logger.js';

const folder = mkdtempSync(join(tmpdir(), 'loggers-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = () => join(folder, `${files++}.jsonl`);

/** Steps of a run. A metric name outside ASCII makes the numbers of bytes and characters differ. */
function logSteps(logger: MetricLogger, from: number, to: number): void {
  for (let step = from; step <= to; step++) logger.log(step, { reward: step / 8, 'rewards/größe/mean': -step });
}

test('jsonl: one line per step, keys in order, NaN and infinity as null', () => {
  const path = newPath();
  const logger = jsonlLogger(path);
  logger.log(1, { reward: 0.5, kl: Number.NaN, step_time: Infinity, 'time/rollout': -Infinity });
  expect(readFileSync(path, 'utf8')).toBe(
    '{"step":1,"reward":0.5,"kl":null,"step_time":null,"time/rollout":null}\n', // on disk before close
  );
  logger.log(2, {});
  logger.close();
  logger.close();
  expect(readFileSync(path, 'utf8').split('\n')[1]).toBe('{"step":2}');
  expect(() => logger.log(3, {})).toThrow(InvalidArgumentError);
});

test('jsonl: a file cut anywhere after the checkpoint becomes that of the uninterrupted run', () => {
  const whole = newPath();
  const unbroken = jsonlLogger(whole);
  logSteps(unbroken, 1, 6);
  unbroken.close();
  const expected = readFileSync(whole);
  let atCheckpoint = 0;
  for (let line = 0; line < 3; line++) atCheckpoint = expected.indexOf(0x0a, atCheckpoint) + 1;

  const path = newPath();
  for (let cut = atCheckpoint; cut <= expected.length; cut++) {
    writeFileSync(path, expected);
    truncateSync(path, cut);
    const resumed = jsonlLogger(path, { truncateAfterStep: 3 });
    expect(readFileSync(path).length).toBe(atCheckpoint);
    logSteps(resumed, 4, 6);
    resumed.close();
    expect(readFileSync(path).equals(expected)).toBe(true);
  }
});

test('jsonl: a new run starts empty; Infinity keeps every complete line; resuming without a file works', () => {
  const path = newPath();
  writeFileSync(path, '{"step":1}\n{"step":2}\n{"ste');
  jsonlLogger(path, { truncateAfterStep: Infinity }).close();
  expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2}\n');
  jsonlLogger(path).close();
  expect(readFileSync(path, 'utf8')).toBe('');
  const missing = newPath();
  jsonlLogger(missing, { truncateAfterStep: 5 }).close();
  expect(readFileSync(missing, 'utf8')).toBe('');
});

test('jsonl: a file that is not a log stays unchanged, and the error names the line', () => {
  for (const content of ['{"step":1}\nhello\n{"step":2}\n', '{"step":1}\n{"reward":2}\n', '{"step":1}\nnull\n']) {
    const path = newPath();
    writeFileSync(path, content);
    expect(() => jsonlLogger(path, { truncateAfterStep: 9 })).toThrow(CorruptFileError);
    expect(() => jsonlLogger(path, { truncateAfterStep: 9 })).toThrow(`${path}, line 2 is not a log line`);
    expect(readFileSync(path, 'utf8')).toBe(content);
  }
});

test('console: one line per step with four significant digits', () => {
  const lines: string[] = [];
  const logger = consoleLogger((line) => lines.push(line));
  logger.log(12, { reward: 0.531249, kl: 0.00123456, num_tokens: 123456, entropy: Number.NaN });
  logger.close();
  expect(lines).toEqual(['step 12 | reward 0.5312 | kl 0.001235 | num_tokens 123500 | entropy NaN']);
});

test('combined: every logger gets every call in order, even if one fails', async () => {
  const calls: string[] = [];
  const logger = (name: string, fails = false): MetricLogger => ({
    async log(step, metrics) {
      await Promise.resolve();
      calls.push(`${name} ${step} ${JSON.stringify(metrics)}`);
      if (fails) throw new Error(`${name} is full`);
    },
    close() {
      calls.push(`${name} closed`);
      if (fails) throw new Error(`${name} is stuck`);
    },
  });
  const combined = combineLoggers([logger('a'), logger('b', true), logger('c')]);
  await expect(combined.log(1, { reward: 2 })).rejects.toThrow('b is full');
  await expect(combined.close()).rejects.toThrow('b is stuck');
  expect(calls).toEqual([
    'a 1 {"reward":2}',
    'b 1 {"reward":2}',
    'c 1 {"reward":2}',
    'a closed',
    'b closed',
    'c closed',
  ]);
  await combineLoggers([]).log(1, {});
});
