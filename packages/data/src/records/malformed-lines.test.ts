import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { InputError } from '@rarefy/core';
import { type JsonlLine, type JsonlOptions, type JsonlStats, readJsonl } from '@rarefy/io';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { mutator, quickRandom } from '../../../../tests/support/mutate-bytes.js';
import { type ReadLine, readPromptLine } from '../../../../tests/support/prompt-line-oracle.js';
import { readPairs } from './pairs.js';
import { type PromptRecord, readPrompts } from './prompts.js';

/** The bounds of a line, as readJsonl says them. */
const maxDepth = 1000;
const maxParts = 2 ** 18;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

const prototypes = [Object, Array, String, Number, Function, Map, Set].map(({ prototype }) => prototype);
const described = () =>
  prototypes.flatMap((prototype) =>
    Reflect.ownKeys(prototype).map((key) => [key, Object.getOwnPropertyDescriptor(prototype, key)]),
  );
let before: unknown[];
beforeEach(() => {
  before = described();
});
afterEach(() => {
  vi.restoreAllMocks();
  expect(described()).toEqual(before); // nothing that was read has changed them
});

const limits = { bytes: 200_000, depth: maxDepth, parts: maxParts };
const bytesOf = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** Lines that are refused, or passed over, for the reason they stand under, each made anew with a number. */
const grammar: Readonly<Record<string, readonly ((number: number) => Buffer | string)[]>> = {
  blank: [() => '', () => '\r', () => ' \t \r', () => '\r\r'],
  'too-long': [
    (number) => `{"prompt":"${'x'.repeat(limits.bytes + (number % 5))}"}`,
    () => ' '.repeat(limits.bytes + 1),
  ],
  'not-utf8': [
    () => bytesOf('{"prompt":"', [0xc0, 0xaf], '"}'), // overlong
    () => bytesOf('{"prompt":"', [0xe0, 0x80, 0xaf], '"}'),
    () => bytesOf('{"prompt":"', [0xf0, 0x80, 0x80, 0xaf], '"}'),
    () => bytesOf('{"prompt":"', [0xed, 0xa0, 0x80], '"}'), // a surrogate
    () => bytesOf('{"prompt":"', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], '"}'), // a pair of them, as CESU-8 has it
    () => bytesOf('{"prompt":"', [0xf4, 0x90, 0x80, 0x80], '"}'), // above U+10FFFF
    (number) => bytesOf('{"prompt":"x"}', [[0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xc3]][number % 3]!), // cut off
    (number) => bytesOf('{"prompt":"', [0x80 + (number % 64)], '"}'),
    () => bytesOf([0xff, 0xfe], '{\0"\0'), // UTF-16
  ],
  'too-complex': [
    () => '['.repeat(100_000),
    () => `${'['.repeat(100_000)}${']'.repeat(100_000)}`.slice(0, limits.bytes),
    () => `{"id":"x","prompt":"x","deep":${'{"a":'.repeat(maxDepth)}1${'}'.repeat(maxDepth)}}`,
  ],
  'not-json': [
    () => '{"prompt":"x"',
    () => '{"prompt":"x"}}',
    () => '{"prompt":"x",}',
    () => "{'prompt':'x'}",
    () => '{prompt:"x"}',
    () => '{"prompt":"x"}\r{"prompt":"y"}', // a lone carriage return ends no line
    () => '\ufeff{"prompt":"x"}',
    () => '\0',
    () => '{"prompt":"\0"}',
    () => '{"prompt":"\t"}',
    () => '{"prompt":"\\x41"}',
    () => '{"prompt":"\\u12"}',
    () => '{"id":01,"prompt":"x"}',
    () => '{"id":+1,"prompt":"x"}',
    () => '{"id":.5,"prompt":"x"}',
    (number) => ['NaN', 'Infinity', 'undefined', 'nul', '// x', '\u00a0', '"x', ']', ','][number % 9]!,
    () => '['.repeat(maxDepth),
  ],
  'not-an-object': [
    (number) => ['null', 'true', '0', '-1e400', '"prompt"', '[]', '[{"prompt":"x"}]'][number % 7]!,
    () => `${'['.repeat(maxDepth)}${']'.repeat(maxDepth)}`,
  ],
  'bad-id': [
    () => '{"id":"","prompt":"x"}',
    () => '{"id":9007199254740992,"prompt":"x"}',
    () => '{"id":9007199254740993,"prompt":"x"}',
    () => '{"id":-9007199254740993,"prompt":"x"}',
    () => '{"id":123456789012345678901234567890,"prompt":"x"}',
    (number) => `{"id":${['1.5', '1e400', 'true', '{}', '[]', '["a"]', '{"toString":"a"}'][number % 7]},"prompt":"x"}`,
    () => '{"id":"a","prompt":"x","id":""}', // the last of equal keys counts
  ],
  'no-prompt': [
    () => '{}',
    () => '{"id":"a"}',
    () => '{"prompt":"x","prompt":null}',
    () => '{"prompt":"x","pro\\u006dpt":" "}',
    () => '{"__proto__":{"prompt":"inherited"}}',
    () => '{"constructor":{"prototype":{"prompt":"inherited"}}}',
    (number) => `{"prompt":${['""', '" "', '"\\n\\t\\u2003"', '"\\ufeff"', '7', '["x"]', '{}', 'false'][number % 8]}}`,
  ],
  'bad-count': [
    (number) => `{"prompt":"x","count":${['0', '-1', '1.5', '"2"', '1e400', '9007199254740992', '[]'][number % 7]}}`,
  ],
  'bad-source': [
    (number) => `{"prompt":"x","sources":${['[]', '"a"', '[1]', '["a",""]', '{}', 'false'][number % 6]}}`,
    (number) => `{"prompt":"x","src":${['""', '0', '[]', '{"length":1}'][number % 4]}}`,
  ],
  record: [
    (number) => `{"id":"p${number}","prompt":"x ${number}"}`,
    (number) => `{"id":"p${number % 7}","prompt":"an id that comes again"}\r`,
    (number) => `{"id":${number},"prompt":"\\ud83d alone","count":${1 + (number % 9)}}`,
    () => '{"id":9007199254740991,"prompt":"x","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    () => '{"prompt":"👩‍👩‍👧 \u202e é e\u0301 \u2028","sources":["s","t"],"id":"first","id":"last"}',
    () =>
      ` {"hasOwnProperty":1,"toString":null,"prompt":"x","deep":${'['.repeat(maxDepth - 1)}${']'.repeat(maxDepth - 1)}}\t`,
  ],
};
const kinds = Object.keys(grammar);

/** A line for a reason, and that reason; of mutated lines nobody knows it before. */
function lineMaker(seed: number): (number: number) => { readonly bytes: Buffer; readonly made: string | undefined } {
  const random = quickRandom(seed);
  const short = kinds.filter((kind) => kind !== 'too-long' && kind !== 'too-complex');
  const valid = [...grammar.record!, ...grammar['bad-id']!].map((line) => Buffer.from(line(1)));
  const mutated = mutator(
    [...valid, Buffer.from('{"id":"é","prompt":"👩‍👩‍👧","count":3,"sources":["s"],"src":"t"}')],
    seed,
  );
  return (number) => {
    const long = number % 400 === 0 ? 'too-long' : number % 400 === 200 ? 'too-complex' : undefined;
    if (long === undefined && random(2) === 0) {
      const bytes = Buffer.from(mutated()).filter((byte) => byte !== 0x0a);
      return { bytes: Buffer.from(bytes), made: undefined };
    }
    const kind = long ?? short[random(short.length)]!;
    const lines = grammar[kind]!;
    return { bytes: Buffer.from(lines[random(lines.length)]!(number)), made: kind };
  };
}

interface Line {
  readonly bytes: Buffer;
  readonly byte: number;
  readonly read: ReadLine;
}

/** Lines with what the oracle says of them, which for those of the grammar is what they were made for. */
function makeLines(count: number, seed: number): Line[] {
  const make = lineMaker(seed);
  const lines: Line[] = [];
  for (let number = 1, byte = 0; number <= count; number++) {
    const { bytes, made } = make(number);
    const read = readPromptLine(bytes, number, limits);
    if (made !== undefined && number > 1)
      expect(read.kind === 'bad' ? read.reason : read.kind, bytes.toString()).toBe(made);
    lines.push({ bytes, byte, read });
    byte += bytes.length + 1;
  }
  return lines;
}

const joined = (lines: readonly { readonly bytes: Buffer }[]) =>
  Buffer.concat(lines.flatMap(({ bytes }) => [bytes, Buffer.from('\n')]));

function countsOf(lines: readonly Line[], counted: (read: ReadLine & { kind: 'bad' }) => boolean = () => true) {
  const counts: Record<string, number> = {};
  for (const { read } of lines) {
    if (read.kind === 'bad' && counted(read)) counts[read.reason] = (counts[read.reason] ?? 0) + 1;
  }
  return counts;
}

test('every line is read, or counted under its reason, as the rules say, with its exact location', async () => {
  const total = casesOf(4000, 100_000);
  const perFile = casesOf(2000, 10_000);
  const reasons = new Set<string>();
  for (let file = 0; file < total / perFile; file++) {
    const lines = makeLines(perFile, 17 + file);
    const path = join(folder, 'lines.jsonl');
    const content = joined(lines);
    await writeFile(path, file % 2 === 0 ? content : gzipSync(content, { level: 1 }));
    const skip = (stats: JsonlStats): JsonlOptions => ({ onBadLine: 'skip', maxLineBytes: limits.bytes, stats });

    const stats: JsonlStats = { records: 0, skipped: {} };
    const records: PromptRecord[] = [];
    for await (const record of readPrompts(path, skip(stats))) records.push(record);
    const expected = lines.flatMap(({ read }) => (read.kind === 'record' ? [read] : []));
    expect(records.map(({ id, prompt, count }) => ({ kind: 'record', id, prompt, count }))).toEqual(expected);
    expect(stats).toEqual({ records: expected.length, skipped: countsOf(lines) });

    const jsonStats: JsonlStats = { records: 0, skipped: {} };
    const values: JsonlLine[] = [];
    for await (const line of readJsonl(path, skip(jsonStats))) values.push(line);
    const isValue = ({ read }: Line) => read.kind === 'record' || (read.kind === 'bad' && read.isJson);
    const places = lines.flatMap((line, index) => (isValue(line) ? [{ line: index + 1, byte: line.byte }] : []));
    expect(values.map(({ line, byte }) => ({ line, byte }))).toEqual(places);
    expect(jsonStats.skipped).toEqual(countsOf(lines, ({ isJson }) => !isJson));
    for (const reason of Object.keys(stats.skipped)) reasons.add(reason);
  }
  expect([...reasons].sort()).toEqual(kinds.filter((kind) => kind !== 'blank' && kind !== 'record').sort());
});

test('stopping, the error names file, line and byte of the first bad line', async () => {
  const random = quickRandom(5);
  const make = lineMaker(5);
  const path = join(folder, 'first.jsonl');
  let stopped = 0;
  for (let turn = 0; turn < casesOf(60, 800); turn++) {
    const lines = Array.from({ length: 1 + random(8) }, (_, index) => make(index + 1).bytes);
    lines.unshift(...Array.from({ length: random(4) }, (_, row) => Buffer.from(`{"prompt":"é ${row}"}\r`)));
    if (turn % 3 === 0) lines[0] = bytesOf([0xef, 0xbb, 0xbf], lines[0]!.toString('utf8').replace(/^\ufeff/, ''));
    await writeFile(path, joined(lines.map((bytes) => ({ bytes }))));
    const first = lines.findIndex((bytes, index) => readPromptLine(bytes, index + 1, limits).kind === 'bad');
    const reading = (async () => {
      for await (const _ of readPrompts(path, { maxLineBytes: limits.bytes }));
    })();
    if (first < 0) {
      await reading.catch((error) => expect(error.message).toContain('has no prompts'));
      continue;
    }
    stopped++;
    const byte = lines.slice(0, first).reduce((sum, bytes) => sum + bytes.length + 1, 0);
    const error: InputError = await reading.then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(InputError);
    expect(error.message.startsWith(`${path}, line ${first + 1} (byte ${byte}): `), error.message).toBe(true);
    expect(error.message).not.toMatch(/\p{C}/u);
    expect(error.message.length).toBeLessThan(path.length + 400);
  }
  expect(stopped).toBeGreaterThan(casesOf(30, 400));
});

test('JSON.parse gets no line with more depth or parts than the limits', async () => {
  const bytes = casesOf(2 ** 21, 2 ** 24);
  const fill = (text: string, end = '') => text.repeat(Math.floor((bytes - end.length) / text.length)) + end;
  const hostile: [line: string, reason: string | undefined][] = [
    [fill('['), 'too-complex'],
    [`${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}`, 'too-complex'],
    [fill('{"":'), 'too-complex'],
    [`[${fill('[],', '')}`.slice(0, bytes - 2).concat('0]'), 'too-complex'],
    [fill(','), 'too-complex'],
    [fill(']'), 'not-json'],
    [fill('1'), 'not-an-object'],
    [fill('-'), 'not-json'],
    [fill(' ', 'x'), 'not-json'],
    [fill('\r'), undefined],
    [fill('"'), 'not-json'],
    [fill('\\'), 'not-json'],
    [`{"prompt":"${fill('\\u0000').slice(0, 6 * Math.floor((bytes - 40) / 6))}"}`, 'no-answer'],
    [`{"chosen":"${fill('\\n\\nHuman:').slice(0, 10 * Math.floor((bytes - 40) / 10))}"}`, 'no-prompt'],
    [`{"prompt":"x","chosen":"${fill('\\n\\nHuman:').slice(0, 10 * Math.floor((bytes - 60) / 10))}"}`, 'no-answer'],
    [`{"prompt":"${fill('[{').slice(40)}`, 'not-json'],
    [`{"prompt":"x","chosen":"","rejected":""}`, undefined],
  ];
  const path = join(folder, 'hostile.jsonl');
  await writeFile(path, hostile.map(([line]) => `${line}\n`).join(''));
  const parse = vi.spyOn(JSON, 'parse');
  const stats: JsonlStats = { records: 0, skipped: {} };
  for await (const _ of readPairs(path, { onBadLine: 'skip', stats }));
  const reasons = hostile.flatMap(([, reason]) => reason ?? []);
  expect(stats.records).toBe(1);
  expect(stats.skipped).toEqual(
    Object.fromEntries([...new Set(reasons)].map((name) => [name, reasons.filter((reason) => reason === name).length])),
  );
  expect(parse.mock.calls.length).toBe(hostile.length - 6); // all but the complex ones, and the blank one
  for (const [text] of parse.mock.calls) {
    const marks =
      text
        .replace(/\\./g, '')
        .replace(/"[^"]*"?/g, '')
        .match(/[[{,:]/g) ?? [];
    expect(marks.length).toBeLessThanOrEqual(maxParts);
  }
});

test('the limits of depth and parts are exact', async () => {
  const path = join(folder, 'limits.jsonl');
  const read = async (text: string) => {
    await writeFile(path, text);
    const stats: JsonlStats = { records: 0, skipped: {} };
    for await (const _ of readJsonl(path, { onBadLine: 'skip', stats }));
    return stats.records === 1 ? 'read' : Object.keys(stats.skipped)[0];
  };
  const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
  expect(await read(nested(maxDepth))).toBe('read');
  expect(await read(nested(maxDepth + 2))).toBe('too-complex');
  expect(await read(`[${'0,'.repeat(maxParts - 1)}0]`)).toBe('read');
  expect(await read(`[${'0,'.repeat(maxParts)}0]`)).toBe('too-complex');
  expect(await read(JSON.stringify('[{,:"\\'.repeat(maxParts)))).toBe('read'); // marks in a text are text
});
