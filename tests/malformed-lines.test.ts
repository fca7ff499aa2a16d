import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEmbeddings, writeEmbeddings } from '@rarefy/embeddings';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runApart } from './bench/memory/run-apart.mjs';
import { casesOf } from './support/exhaustive.js';
import { rarefy } from './support/rarefy.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rarefy-lines-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const good = '{"id":"a","prompt":"p","chosen":"c","rejected":"r"}\n';
const bad = [
  ['not-json', Buffer.from('{"prompt":"x"\n')],
  ['no-prompt', Buffer.from('{"prompt":1}\n')],
  ['not-utf8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22, 0x0a])],
  ['bad-id', Buffer.from('{"id":9007199254740993,"prompt":"x"}\n')],
  ['too-complex', Buffer.from(`${'['.repeat(2000)}\n`)],
] as const;

test('counts a line of 100 MB and many malformed lines within 64 MB plus the longest allowed line', async () => {
  const lines = casesOf(20_000, 100_000);
  const longBytes = 100_000_000;
  const path = join(folder, 'lines.jsonl');
  const file = openSync(path, 'w');
  for (let line = 0; line < lines; line++) {
    writeSync(file, bad[line % bad.length]![1]);
    if (line !== lines / 2) continue;
    writeSync(file, good);
    const part = Buffer.from('{"prompt":'.padEnd(1_000_000, '['));
    for (let written = 0; written < longBytes; written += part.length) writeSync(file, part);
    writeSync(file, '\n');
  }
  closeSync(file);
  const warmUp = join(folder, 'good.jsonl');
  writeFileSync(warmUp, good.repeat(20_000));
  interface Measured {
    readonly stats: unknown;
    readonly grownBytes: number;
  }
  const maxLineBytes = 2 ** 24;
  const { stats, grownBytes }: Measured = await runApart('read-records.mjs', { path, warmUp, maxLineBytes });
  const skipped = Object.fromEntries(bad.map(([reason]) => [reason, lines / bad.length]));
  expect(stats).toEqual({ records: 1, skipped: { ...skipped, 'too-long': 1 } });
  expect(grownBytes).toBeLessThan(64 * 2 ** 20 + maxLineBytes);
}, 300_000);

describe('rarefy sample', () => {
  const write = (name: string, ids: readonly string[]) =>
    writeEmbeddings(join(folder, name), {
      ids,
      embeddings: { data: Float32Array.from(ids, (_, row) => Math.sin(row)), rows: ids.length, cols: 1 },
    });
  const sample = (name: string, budget: number) =>
    rarefy(['sample', '--embeddings', name, '--k', '1', '--budget', `${budget}`, '--out', `${name}.txt`], {
      cwd: folder,
    });

  test('writes ids byte for byte', async () => {
    const ids = [
      '👩‍👩‍👧',
      '\u202ea',
      'é',
      'e\u0301',
      '\u0000',
      '\u2028',
      '\u0085',
      ' a ',
      '\ufeffa',
      'a',
      '\ufffd',
      '"\\',
    ];
    await write('odd.safetensors', ids);
    const { code, stderr } = await sample('odd.safetensors', ids.length);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const written = readFileSync(join(folder, 'odd.safetensors.txt'));
    const lines = written.toString('utf8').slice(0, -1).split('\n');
    expect(Buffer.from(`${lines.join('\n')}\n`)).toEqual(written);
    expect(lines.sort()).toEqual([...(await readEmbeddings(join(folder, 'odd.safetensors'))).ids].sort());
  });

  test.each([
    ['a\nb', 'a line break'],
    ['a\rb', 'a line break'],
    ['\ud800', 'half a character'],
    ['\udc00\ud800', 'half a character'],
  ])('refuses %j before sampling, whether or not it would be selected', async (id, what) => {
    await write('broken.npy', [...Array.from({ length: 20 }, (_, row) => `${row}`), id]);
    const { code, stderr } = await sample('broken.npy', 1);
    expect(code).toBe(1);
    expect(stderr).toContain(`the id ${JSON.stringify(id)} contains ${what}`);
  });
});
