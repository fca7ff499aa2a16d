import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoggedStep, loggerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { afterAll, expect } from 'vitest';
import { combineLoggers, consoleLogger } from './basic-loggers.js';
import { records } from './event-file.js';
import { jsonlLogger } from './jsonl-logger.js';
import { tensorBoardLogger } from './tensorboard-logger.js';

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

function tensorBoard() {
  const path = join(folder, `${files++}`);
  const read = () =>
    readdirSync(path).flatMap((name) =>
      [...records(readFileSync(join(path, name)), () => expect.unreachable())].flatMap(({ data }) => readEvent(data)),
    );
  return { logger: tensorBoardLogger(path), read };
}

/** The step and scalars of a protobuf event; none if it has no summary. */
function readEvent(data: Buffer): LoggedStep[] {
  let step = 0;
  for (const { number, value } of readFields(data)) {
    if (number === 2) step = value as number;
    if (number !== 5) continue;
    const metrics = readFields(value as Buffer).map((scalar) => {
      const [tag, simpleValue] = readFields(scalar.value as Buffer);
      const stored = (simpleValue!.value as Buffer).readFloatLE();
      return [(tag!.value as Buffer).toString(), Number.isFinite(stored) ? stored : null];
    });
    return [{ step, metrics: Object.fromEntries(metrics) }];
  }
  return [];
}

/** The fields of a protobuf message: varints as numbers, all others as bytes. */
function readFields(data: Buffer): { readonly number: number; readonly value: number | Buffer }[] {
  const fields: { number: number; value: number | Buffer }[] = [];
  let index = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = data[index++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (index < data.length) {
    const key = varint();
    const sizes: Readonly<Record<number, () => number>> = { 1: () => 8, 2: varint, 5: () => 4 };
    const size = sizes[key & 7]?.();
    fields.push({ number: key >> 3, value: size === undefined ? varint() : data.subarray(index, (index += size)) });
  }
  return fields;
}

describeChecks('jsonlLogger', loggerChecks({ create: jsonl }));
describeChecks('consoleLogger', loggerChecks({ create: onConsole, precision: 5e-4 }));
describeChecks('tensorBoardLogger', loggerChecks({ create: tensorBoard, stored: Math.fround }));
describeChecks(
  'combineLoggers, read from the second logger',
  loggerChecks({
    create() {
      const { logger, read } = jsonl();
      return { logger: combineLoggers([onConsole().logger, logger]), read };
    },
  }),
);
