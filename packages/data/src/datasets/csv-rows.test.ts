import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@rarefy/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { mutator } from '../../../../tests/support/mutate-bytes.js';
import { readRows, type TableRow } from './read-rows.js';

let path: string;
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'rarefy-io-')), 'rows.csv');
});
afterAll(() => rm(join(path, '..'), { recursive: true }));

async function rowsOf(content: string | Uint8Array, maxLineBytes?: number): Promise<TableRow[]> {
  await writeFile(path, content);
  const rows: TableRow[] = [];
  for await (const row of readRows(path, maxLineBytes === undefined ? {} : { maxLineBytes })) rows.push(row);
  return rows;
}

test.each<[string, string | Uint8Array, RegExp]>([
  ['a value too few', 'a,b\n1,2\n\n3\n', /line 4: .*Invalid Record Length/],
  ['a value too many', 'a,b\r\n1,2\r\n3,4,5\r\n', /line 3: .*Invalid Record Length/],
  ['after a value of two lines', 'a,b\n"1\n2",3\n4\n', /line 4: .*Invalid Record Length/],
  ['a quote within a text', 'a,b\n1,2\nx"y,3\n', /line 3: .*Invalid Opening Quote/],
  ['text after a quote', 'a,b\n1,2\n"x"y,3\n', /line 3: .*Invalid Closing Quote/],
  ['a quote never closed', 'a,b\n1,2\n"x,3\n4,5\n', /line 3 or later: Quote Not Closed/],
  [
    'no UTF-8',
    Buffer.concat([Buffer.from('a,b\n1,é\n2,'), Buffer.from([0xe9, 0x0a])]),
    /line 3 \(byte 9\): .*not valid UTF-8/,
  ],
  ['half a character at the end', Buffer.from([0x61, 0x0a, 0xf0, 0x9f]), /line 2 \(byte 2\): .*not valid UTF-8/],
  ['a long line', `a\n1\n${'x'.repeat(2000)}\n`, /line 3 \(byte 4\): .*longer than 1000 bytes/],
  ['a long value of short lines', `a\n1\n"${'x\n'.repeat(2000)}"\n`, /line 3 or later: .*Max Record Size/],
])('refused with its line: %s', async (_, content, message) => {
  const reading = rowsOf(content, 1000);
  await expect(reading).rejects.toBeInstanceOf(InputError);
  await expect(reading).rejects.toThrow(path);
  await expect(reading).rejects.toThrow(message);
});

test('columns of any name are strings and change no prototype', async () => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const [row] = await rowsOf('\ufeff__proto__,constructor,é,e\u0301\nx,y,"z\r\n",\0\ufeff\n');
  expect(row?.fields.constructor).toBe('y');
  expect([row?.fields['\u00e9'], row?.fields['e\u0301']]).toEqual(['z\r\n', '\0\ufeff']);
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
});

test('mutated files are read or rejected with an error of Rarefy', async () => {
  const seed = 'id,prompt,chosen,rejected\r\n1,"two\nlines, quoted","a ""b""",c\r\n2,é 👩‍👧,,x\r\n';
  const mutated = mutator([Buffer.from(seed), Buffer.from(seed.replaceAll('\r', ''))], 3);
  const outcomes = { read: 0, refused: 0 };
  for (let turn = 0; turn < casesOf(300, 2000); turn++) {
    const content = mutated();
    try {
      const rows = await rowsOf(content);
      for (const { fields } of rows) for (const value of Object.values(fields)) expect(value).toBeTypeOf('string');
      outcomes.read++;
    } catch (error) {
      if (!InputError.isInstance(error))
        throw new Error(`input ${Buffer.from(content).toString('base64')}`, { cause: error });
      expect(error.message).toMatch(/line \d+/);
      outcomes.refused++;
    }
  }
  expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(casesOf(30, 200));
});
