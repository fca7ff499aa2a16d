import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoggedStep, loggerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { afterAll, expect, test } from 'vitest';
import { csvLogger } from './csv-logger.js';

const folder = mkdtempSync(join(tmpdir(), 'csv-logger-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

/** The steps of a file. NaN and infinities are null. */
function readSteps(path: string): LoggedStep[] {
  const steps = new Map<number, Record<string, number | null>>();
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n').slice(1)) {
    const [, step, name, value] = /^(\d+),(?:"((?:[^"]|"")*)")?,(.*)$/.exec(line)!;
    const metrics = steps.get(Number(step)) ?? {};
    if (name !== undefined) metrics[name.replaceAll('""', '"')] = Number.isFinite(Number(value)) ? Number(value) : null;
    steps.set(Number(step), metrics);
  }
  return Array.from(steps, ([step, metrics]) => ({ step, metrics }));
}

function create() {
  const path = join(folder, `${files++}.csv`);
  return { logger: csvLogger(path), read: () => readSteps(path) };
}

describeChecks('csvLogger', loggerChecks({ create }));

test('a run that resumes keeps the steps of its checkpoint', async () => {
  const path = join(folder, 'resumed.csv');
  const first = csvLogger(path);
  for (const step of [1, 2, 3]) await first.log(step, { reward: step });
  const resumed = csvLogger(path, 2);
  await resumed.log(3, { reward: 30 });
  await resumed.close();
  expect(readSteps(path).map(({ metrics }) => metrics.reward)).toEqual([1, 2, 30]);
});
