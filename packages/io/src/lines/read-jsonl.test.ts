import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { InputError, type WorkEvent } from '@rarefy/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quickRandom } from '../../../../tests/support/mutate-bytes.js';
import { type JsonlLine, type JsonlOptions, type JsonlStats, readJsonl, readLines } from './read-jsonl.js';
import { writeJsonl } from './write-jsonl.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(content: string | Uint8Array, name = 'data.jsonl'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function all(path: string, options: JsonlOptions = {}): Promise<JsonlLine[]> {
  const lines: JsonlLine[] = [];
  for await (const line of readJsonl(path, options)) lines.push(line);
  return lines;
}

const values = async (path: string) => (await all(path)).map(({ value }) => value);

/** Reads until it fails. */
async function failure(path: string, options: JsonlOptions = {}): Promise<InputError> {
  const error: unknown = await all(path, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return error as InputError;
}

test('a byte order mark, CRLF, blank lines and a missing last line feed are ignored; line numbers and offsets are exact', async () => {
  const path = await file('\ufeff{"a":1}\r\n\r\n \t\n{"é":2}\n[3]');
  expect(await all(path)).toEqual([
    { value: { a: 1 }, line: 1, byte: 0 },
    { value: { é: 2 }, line: 4, byte: 17 },
    { value: [3], line: 5, byte: 26 },
  ]);
});

test('gzip is recognized by its content, not its name, and several members are one stream', async () => {
  const path = await file(Buffer.concat([gzipSync('{"a":1}\n{"a"'), gzipSync(':2}\n')]), 'plain.jsonl');
  expect(await all(path)).toEqual([
    { value: { a: 1 }, line: 1, byte: 0 },
    { value: { a: 2 }, line: 2, byte: 8 },
  ]);
  expect(await values(await file('{"a":1}', 'named.jsonl.gz'))).toEqual([{ a: 1 }]);
});

test('lines that span many chunks are read whole, gzip and plain', async () => {
  const random = quickRandom(3);
  const lines = Array.from({ length: 3000 }, (_, line) => ({
    line,
    text: Array.from({ length: 200 }, () => random(2 ** 30)),
  }));
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  for (const content of [text, gzipSync(text, { level: 1 })]) {
    expect(content.length).toBeGreaterThan(8 * 2 ** 18);
    expect(await values(await file(content))).toEqual(lines);
  }
});

test('a gzip file truncated anywhere after its magic bytes is rejected', async () => {
  const text = Array.from({ length: 300 }, (_, index) => `{"id":${(index * 7919) % 1013}}\n`).join('');
  const packed = gzipSync(text);
  expect(await values(await file(packed))).toHaveLength(300);
  const cuts = [2, 3, 9, 10, 11, 50, packed.length >> 1, packed.length - 9, packed.length - 8, packed.length - 1];
  for (const cut of cuts) {
    const path = await file(packed.subarray(0, cut));
    expect((await failure(path)).message).toBe(`${path} is truncated. Copy or download it again.`);
  }
});

test('damaged gzip data is reported, also in a second member', async () => {
  const packed = gzipSync(JSON.stringify('x'.repeat(1000)));
  for (const position of [3, 12, packed.length - 8, packed.length - 1]) {
    const damaged = Buffer.from(packed);
    damaged[position]! ^= 0x55;
    const path = await file(damaged);
    expect((await failure(path)).message).toMatch(/is damaged: its gzip data cannot be decompressed|is truncated/);
  }
  const path = await file(Buffer.concat([gzipSync('1\n'), Buffer.from('2\n')]));
  expect((await failure(path)).message).toBe(
    `${path} is damaged: its gzip data cannot be decompressed. Copy or download it again.`,
  );
});

test('a bad line names file, line, byte and reason', async () => {
  const path = await file('{"a":1}\n{"a":\n');
  expect((await failure(path)).message).toMatch(
    new RegExp(
      `^${path}, line 2 \\(byte 8\\): the line is not JSON: .*Correct the line; in code, onBadLine: 'skip' skips such lines\\.$`,
    ),
  );
  // Commands with --on-bad-line give onBadLine, others do not: only the first must advise it.
  const given = await failure(path, { onBadLine: 'stop' });
  expect(given.message).toMatch(/Correct the line, or skip such lines \(onBadLine: 'skip', or --on-bad-line skip\)\.$/);
  const lines = readLines(path, String, {}, 'Write it again.');
  await expect(lines.next().then(() => lines.next())).rejects.toThrow(/JSON.*\. Write it again\.$/);
  const invalid = [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xff], [0xf5, 0x80, 0x80, 0x80]];
  for (const bytes of invalid) {
    const broken = await file(Buffer.concat([Buffer.from('1\n"'), Buffer.from(bytes), Buffer.from('"\n')]));
    expect((await failure(broken)).message).toContain('line 2 (byte 2): the line is not valid UTF-8');
  }
  const odd = [
    '\ufeff1\n\ufeff2',
    '1\n\u00a0',
    '1\nNaN',
    "1\n{'a':1}",
    '1\n1\r2',
    '1\n\0',
    `1\n${'['.repeat(100_000)}`,
  ];
  for (const text of odd) expect((await failure(await file(text))).message).toContain('line 2 (byte');
});

test('messages contain no control characters of the line', async () => {
  const message = (await failure(await file('{"a": \u001b[31mred'))).message;
  expect(message).not.toMatch(/\p{C}/u);
});

test('a line of 20 MB is rejected at the default limit, read with a larger one, and skipped without being kept', async () => {
  const long = JSON.stringify('x'.repeat(20_000_000));
  const path = await file(`1\n${long}\n3\n`);
  expect((await failure(path)).message).toContain('line 2 (byte 2): the line is longer than 16777216 bytes');
  expect((await all(path, { maxLineBytes: 2 ** 25 })).map(({ line }) => line)).toEqual([1, 2, 3]);
  const packed = await file(gzipSync(`1\n${long}\n3\n`));
  const stats: JsonlStats = { records: 0, skipped: {} };
  expect(await all(packed, { onBadLine: 'skip', stats })).toEqual([
    { value: 1, line: 1, byte: 0 },
    { value: 3, line: 3, byte: long.length + 3 },
  ]);
  expect(stats).toEqual({ records: 2, skipped: { 'too-long': 1 } });
});

test('skipping counts each reason exactly and warns once, also when the reader stops early', async () => {
  const path = await file(
    Buffer.concat([Buffer.from('nope\n1\n{\n'), Buffer.from([0xff, 0x0a]), Buffer.from('2\n}\n')]),
  );
  const stats: JsonlStats = { records: 0, skipped: {} };
  const events: WorkEvent[] = [];
  const options: JsonlOptions = { onBadLine: 'skip', stats, onEvent: (event) => events.push(event) };
  expect((await all(path, options)).map(({ value, line }) => [value, line])).toEqual([
    [1, 2],
    [2, 5],
  ]);
  expect(stats).toEqual({ records: 2, skipped: { 'not-json': 3, 'not-utf8': 1 } });
  expect(events.map(({ type }) => type)).toEqual(['work-start', 'work-warning', 'work-end']);
  expect(events[1]).toMatchObject({
    code: 'skipped-lines',
    message: expect.stringMatching(/^bad lines skipped: 3 not-json, 1 not-utf8\. The first: .*line 1 \(byte 0\)/),
  });

  events.length = 0;
  for await (const _ of readJsonl(path, options)) break;
  expect(events.map(({ type }) => type)).toEqual(['work-start', 'work-warning']);
  expect(stats).toEqual({ records: 3, skipped: { 'not-json': 4, 'not-utf8': 1 } });
});

test('missing files, folders and empty files', async () => {
  const absent = join(folder, 'absent.jsonl');
  expect((await failure(absent)).message).toBe(`cannot read ${absent}: it does not exist. Check the path.`);
  expect((await failure(folder)).message).toBe(`cannot read ${folder}: it is a folder. Give the path of a file.`);
  expect(await all(await file(''))).toEqual([]);
  await expect(all(absent, { maxLineBytes: 0 })).rejects.toThrow('maxLineBytes must be an integer ≥ 1, got 0');
});

test('an abort rejects with its reason, plain and gzip', async () => {
  const text = '1\n'.repeat(100_000);
  for (const path of [await file(text, 'plain'), await file(gzipSync(text), 'packed')]) {
    const controller = new AbortController();
    const reason = new Error('enough');
    const reading = (async () => {
      for await (const { line } of readJsonl(path, { signal: controller.signal })) {
        expect(line).toBeLessThanOrEqual(10);
        if (line === 10) controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
    await expect(all(path, { signal: controller.signal })).rejects.toBe(reason);
  }
});

test('a __proto__ key is data and pollutes nothing', async () => {
  const [line] = await all(await file('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'));
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.getPrototypeOf(line!.value)).toBe(Object.prototype);
});

test('readJsonl reads what writeJsonl writes, with any characters', async () => {
  const odd = fc.constantFrom(
    '\u2028',
    '\u0000',
    '\r',
    '\n',
    '\ufeff',
    '\ud800',
    '👩‍👩‍👧',
    '\u202e',
    'é',
    'e\u0301',
    '"',
    '\\',
  );
  const text = fc.array(fc.oneof(odd, fc.string({ unit: 'binary' })), { maxLength: 6 }).map((parts) => parts.join(''));
  const json = fc.array(fc.oneof(text, fc.record({ id: text, prompt: text }), fc.jsonValue()), { maxLength: 8 });
  const path = join(folder, 'round-trip.jsonl');
  await fc.assert(
    fc.asyncProperty(json, async (items) => {
      expect(await writeJsonl(path, items)).toBe(items.length);
      // JSON itself has no -0
      expect(await values(path)).toEqual(JSON.parse(JSON.stringify(items)));
    }),
    { seed: 2, numRuns: 150 },
  );
});

test('writeJsonl takes streams larger than a chunk and names a value that JSON cannot represent', async () => {
  const path = join(folder, 'many.jsonl');
  async function* many() {
    for (let index = 0; index < 5000; index++) yield { index, text: 'word '.repeat(10) };
  }
  expect(await writeJsonl(path, many())).toBe(5000);
  expect((await values(path)).at(-1)).toMatchObject({ index: 4999 });
  await expect(writeJsonl(path, [1, undefined])).rejects.toThrow('value 1 (undefined) cannot be written as JSON');
  await expect(writeJsonl(path, [1n])).rejects.toThrow('value 0 (bigint) cannot be written as JSON');
  expect(await values(path)).toHaveLength(5000);
});
