import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { openEmbeddings, writeEmbeddings } from './embedding-file.js';
import { rowsById } from './rows-by-id.js';

test('rows are found by id, in the order of the ids, and a missing id is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rarefy-rows-'));
  const file = join(folder, 'rows.safetensors');
  const embeddings = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 3, cols: 2 };
  await writeEmbeddings(file, { ids: ['a', 'b', 'c'], embeddings });
  await using reader = await openEmbeddings(file);
  expect(await rowsById(reader, ['a', 'b', 'c'], file)).toBe(reader);
  const found = await rowsById(reader, ['c', 'a'], file);
  expect(found).toEqual({ data: Float32Array.of(5, 6, 1, 2), rows: 2, cols: 2 });
  await expect(rowsById(reader, ['c', 'x', 'y'], 'FILE')).rejects.toThrow(
    new InputError('FILE lacks 2 of 3 prompts; the first one has the id "x".'),
  );
  rmSync(folder, { recursive: true });
});
