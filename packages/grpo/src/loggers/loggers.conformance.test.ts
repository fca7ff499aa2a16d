import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoggedStep, loggerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { afterAll } from 'vitest';
import { combineLoggers, consoleLogger } from './basic-loggers.js';
import { jsonlLogger } from './jsonl-logger.js';

const folder = mkdtempSync(join(tmpdir(), 'loggers-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function jsonl() {
  const path = join(folder, `${files++}.jsonl`);
  return {
    logger: jsonlLogger(path),
    read: () => readFileSync(path, 'utf8').split('\n').filter(Boolean).map(readJson),
  };
}

function readJson(line: string): LoggedStep {
  const { step, ...metrics } = JSON.parse(line) as { step: number };
  return { step, metrics };
}

function onConsole() {
  const lines: string[] = [];
  return { logger: consoleLogger((line) => lines.push(line)), read: () => lines.map(readLine) };
}

/** `step 12 | reward 0.5312 | kl NaN` */
function readLine(line: string): LoggedStep {
  const [step, ...metrics] = line.split(' | ').map((column) => column.split(' ') as [string, string]);
  const finite = (text: string) => (Number.isFinite(Number(text)) ? Number(text) : null);
  return { step: Number(step![1]), metrics: Object.fromEntries(metrics.map(([name, text]) => [name, finite(text)])) };
}

describeChecks('jsonlLogger', loggerChecks({ create: jsonl }));
describeChecks('consoleLogger', loggerChecks({ create: onConsole, precision: 5e-4 }));
describeChecks(
  'combineLoggers, read from the second logger',
  loggerChecks({
    create() {
      const { logger, read } = jsonl();
      return { logger: combineLoggers([onConsole().logger, logger]), read };
    },
  }),
);
