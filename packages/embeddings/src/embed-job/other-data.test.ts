import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, type WorkEvent } from '@rarefy/core';
import { sha256File } from '@rarefy/io';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestEmbedder } from '../../../../tests/support/digest-embedder.js';
import { writeEmbeddings } from '../files/embedding-file.js';
import { embedToFile } from './embed-to-file.js';
import { manifestPath } from './manifest.js';
import { warnOfOtherData } from './other-data.js';

let folder: string;
let out: string;
let data: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-other-data-'));
  out = join(folder, 'e.safetensors');
  data = join(folder, 'prompts.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const prompts = [
  { id: 'a', prompt: 'first' },
  { id: 'b', prompt: 'second' },
];
const write = (path: string, records: readonly object[]) =>
  writeFile(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));

/** Embeds prompts as texts from the data file, with its digest in the manifest unless `notes` are given. */
async function embed(notes?: Readonly<Record<string, string>>) {
  const rows = prompts.map(({ id, prompt }) => ({ id, item: prompt }));
  const origin = notes ?? { path: 'prompts.jsonl', fileSha256: await sha256File(data) };
  await embedToFile(digestEmbedder(), rows, { out, data: origin });
}

async function warnings(records: readonly { id: string; prompt: string }[], dataFile = data): Promise<WorkEvent[]> {
  const events: WorkEvent[] = [];
  await warnOfOtherData(out, records, dataFile, { onEvent: (event) => events.push(event) });
  return events;
}

test('a text that changed under its id is warned about', async () => {
  await write(data, prompts);
  await embed();
  const changed = [prompts[0]!, { id: 'b', prompt: 'another' }];
  await write(data, changed);
  const message = `the rows of ${out} were computed from prompts.jsonl with other content than ${data} has now, and are found by id alone; if texts have changed, embed them again`;
  expect(await warnings(changed)).toEqual([{ type: 'work-warning', task: 'embeddings', code: 'other-data', message }]);
});

test('the same data file or the same prompts are accepted', async () => {
  await write(data, [...prompts, prompts[0]!]);
  await embed();
  expect(await warnings(prompts.slice(0, 1))).toEqual([]); // some of its prompts
  const copy = join(folder, 'copy.jsonl');
  await write(copy, prompts);
  expect(await warnings(prompts, copy)).toEqual([]); // other bytes, the same rows
  expect(await warnings(prompts.slice(0, 1), copy)).toHaveLength(1);
});

test('prompts embedded as chats, as the command does, are the same prompts', async () => {
  await write(data, prompts);
  const rows = prompts.map(({ id, prompt }) => ({ id, item: { prompt } }));
  const embedder = {
    ...digestEmbedder(),
    embedBatch: async () => ({ embeddings: { data: new Float32Array(10), rows: 2, cols: 5 } }),
  };
  await embedToFile(embedder as never, rows as never, { out, data: { path: 'x', fileSha256: 'another' } });
  expect(await warnings(prompts)).toEqual([]);
  expect(await warnings([...prompts].reverse())).toHaveLength(1);
});

test('no warning without a manifest, without a digest of the data, or for data that can be read only once', async () => {
  await write(data, prompts);
  const other = [{ id: 'a', prompt: 'another' }];
  await writeEmbeddings(out, { ids: ['a'], embeddings: { data: Float32Array.of(1), rows: 1, cols: 1 } });
  expect(await warnings(other)).toEqual([]);
  await rm(out);
  await embed({});
  expect(await warnings(other)).toEqual([]);
  expect(await warnings(other, '-')).toEqual([]);
});

test('a damaged manifest is an error', async () => {
  await write(data, prompts);
  await embed();
  await writeFile(manifestPath(out), '{}');
  await expect(warnings(prompts)).rejects.toThrow(CorruptFileError);
});
