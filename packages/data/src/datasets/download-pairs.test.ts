import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CorruptFileError, InputError, InvalidArgumentError, type WorkEvent } from '@rarefy/core';
import { sha256File } from '@rarefy/io';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { commit, startHub } from '../../../../tests/support/hub-server.js';
import { readConversations } from '../records/conversations.js';
import { readPairs } from '../records/pairs.js';
import { promptAndAnswer, transcriptTurns } from '../records/transcript.js';
import { type DownloadPairsOptions, downloadPairs } from './download-pairs.js';
import { readRows } from './read-rows.js';

const jsonl = (...rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const transcript = (...turns: string[]) =>
  turns.map((text, at) => `\n\n${at % 2 === 0 ? 'Human' : 'Assistant'}: ${text}`).join('');
const message = (role: string, content: string) => ({ role, content });

/** Rows of the shapes that the data sets have, with words of our own. */
const repositories = {
  'datasets/Anthropic/hh-rlhf': {
    files: {
      'README.md': 'about',
      'harmless-base/train.jsonl.gz': gzipSync(
        jsonl(
          { chosen: transcript('Boil an egg?', 'Ten minutes.'), rejected: transcript('Boil an egg?', 'Never.') },
          {
            chosen: transcript('Hi', 'Hello', 'Help: what is tea?\n\nHuman error.', 'Leaves.'),
            rejected: transcript('Hi', 'Hello', 'Help: what is tea?\n\nHuman error.', ''),
          },
          { chosen: transcript('Hi', 'Hello'), rejected: transcript('Other', 'Hello') },
          { chosen: transcript('Only a question'), rejected: 'no transcript' },
        ),
      ),
      'harmless-base/test.jsonl.gz': gzipSync(
        jsonl({ chosen: transcript('Test?', 'A'), rejected: transcript('Test?', 'B') }),
      ),
      'helpful-base/train.jsonl.gz': gzipSync(
        jsonl({ chosen: transcript('Why?', 'So.'), rejected: transcript('Why?', 'No.') }),
      ),
      'red-team-attempts/red_team_attempts.jsonl.gz': gzipSync(jsonl({ transcript: 'x' })),
    },
    large: ['harmless-base/train.jsonl.gz'],
    tags: ['license:mit'],
  },
  'datasets/HuggingFaceH4/ultrafeedback_binarized': {
    files: {
      'data/train_prefs-00000-of-00001.parquet': new Uint8Array(
        parquetWriteBuffer({
          columnData: [
            { name: 'prompt', data: ['Name a colour.', 'Count.'] },
            {
              name: 'chosen',
              data: [[message('user', 'Name a colour.'), message('assistant', 'Blue.')], [message('user', 'Count.')]],
              type: 'JSON',
            },
            {
              name: 'rejected',
              data: [[message('user', 'Name a colour.'), message('assistant', 'No.')], [message('assistant', 'One')]],
              type: 'JSON',
            },
          ],
        }),
      ),
      'data/train_sft-00000-of-00001.parquet': 'not asked for',
    },
  },
  'datasets/stanfordnlp/SHP': {
    files: {
      'askbaking/train.json': jsonl(
        { history: 'Flat bread?', human_ref_A: 'Yeast.', human_ref_B: 'Luck.', labels: 1, domain: 'askbaking_train' },
        { history: 'Dry cake?', human_ref_A: 'Oven.', human_ref_B: 'Butter.', labels: 0, domain: 'askbaking_train' },
        { history: 'Dry cake?', human_ref_A: 'Oven.', human_ref_B: 'Butter.', labels: 2 },
      ),
    },
  },
  'datasets/PKU-Alignment/PKU-SafeRLHF': {
    files: {
      'data/Alpaca-7B/train.jsonl': jsonl(
        { prompt: 'Open a lock?', response_0: 'Like so.', response_1: 'Ask a locksmith.', better_response_id: 1 },
        { prompt: 'Open a jar?', response_0: 'Warm the lid.', response_1: 'Smash it.', better_response_id: 0 },
      ),
    },
    tags: ['license:cc-by-nc-4.0'],
  },
  'datasets/some/other': {
    files: {
      'a/one.csv': 'question,good,bad\n"Two\nlines, quoted","yes ""so""",no\n',
      'b/two.jsonl': jsonl({ question: 'Three?', good: 'G', bad: 'B' }),
    },
  },
};

let folder: string;
let out: string;
const hub = await startHub(repositories);
const environment = { ...process.env };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rarefy-pairs-'));
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  out = join(folder, 'pairs_all.jsonl');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  process.env = { ...environment };
});
afterAll(() => hub.stop());

const download = (datasets: string[], options: DownloadPairsOptions = {}) =>
  downloadPairs(out, datasets, { endpoint: hub.endpoint, ...options });
async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const list: Value[] = [];
  for await (const value of values) list.push(value);
  return list;
}
const written = () =>
  readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('the four known data sets become pairs, with source, license, commit and exact counts', async () => {
  const events: WorkEvent[] = [];
  const names = Object.keys(repositories)
    .slice(0, 4)
    .map((name) => name.replace('datasets/', ''));
  const manifest = await download(names, { onEvent: (event) => events.push(event) });
  expect(written()).toEqual([
    { id: 'hh_rlhf-1', src: 'hh_rlhf', prompt: 'Boil an egg?', chosen: 'Ten minutes.', rejected: 'Never.' },
    {
      id: 'hh_rlhf-2',
      src: 'hh_rlhf',
      prompt: 'Human: Hi\n\nAssistant: Hello\n\nHuman: Help: what is tea?\n\nHuman error.',
      chosen: 'Leaves.',
      rejected: '',
    },
    { id: 'hh_rlhf-5', src: 'hh_rlhf', prompt: 'Why?', chosen: 'So.', rejected: 'No.' },
    { id: 'ultrafeedback-1', src: 'ultrafeedback', prompt: 'Name a colour.', chosen: 'Blue.', rejected: 'No.' },
    { id: 'shp-1', src: 'shp', prompt: 'Flat bread?', chosen: 'Yeast.', rejected: 'Luck.', topic: 'askbaking_train' },
    { id: 'shp-2', src: 'shp', prompt: 'Dry cake?', chosen: 'Butter.', rejected: 'Oven.', topic: 'askbaking_train' },
    {
      id: 'pku_safe_rlhf-1',
      src: 'pku_safe_rlhf',
      prompt: 'Open a lock?',
      chosen: 'Ask a locksmith.',
      rejected: 'Like so.',
    },
    {
      id: 'pku_safe_rlhf-2',
      src: 'pku_safe_rlhf',
      prompt: 'Open a jar?',
      chosen: 'Warm the lid.',
      rejected: 'Smash it.',
    },
  ]);
  expect(manifest).toMatchObject({ format: 'rarefy-pairs', version: 1, pairs: 8, sha256: await sha256File(out) });
  expect(JSON.parse(readFileSync(`${out}.manifest.json`, 'utf8'))).toEqual(manifest);
  expect(
    manifest.sources.map(({ license, revision, pairs, skipped }) => ({ license, revision, pairs, skipped })),
  ).toEqual([
    { license: 'mit', revision: commit, pairs: 3, skipped: { 'no-answer': 1, 'no-prompt': 1 } },
    { license: 'unknown', revision: commit, pairs: 1, skipped: { 'no-answer': 1 } },
    { license: 'unknown', revision: commit, pairs: 2, skipped: { 'no-answer': 1 } },
    { license: 'cc-by-nc-4.0', revision: commit, pairs: 2, skipped: {} },
  ]);
  expect(manifest.sources[0]!.files).toEqual(['harmless-base/train.jsonl.gz', 'helpful-base/train.jsonl.gz']);
  expect(events.filter(({ type }) => type === 'work-warning')).toHaveLength(3);
  const asked = hub.requests.filter(({ url }) => url.includes('/resolve/')).length;
  const before = readFileSync(out);
  await download(names);
  expect(readFileSync(out)).toEqual(before);
  expect(hub.requests.filter(({ url }) => url.includes('/resolve/'))).toHaveLength(asked);
});

test('splits, limits, and stopping at the first row that is not a pair', async () => {
  expect((await download(['Anthropic/hh-rlhf'], { split: 'test' })).pairs).toBe(1);
  expect((await download(['Anthropic/hh-rlhf'], { split: 'all' })).pairs).toBe(4);
  expect((await download(['Anthropic/hh-rlhf'], { limit: 2 })).pairs).toBe(2);
  await expect(download(['Anthropic/hh-rlhf'], { onBadLine: 'stop' })).rejects.toThrow(
    /hh-rlhf, harmless-base\/train.jsonl.gz, line 3 \(byte \d+\): chosen and rejected answer different prompts$/,
  );
  await expect(download(['Anthropic/absent'])).rejects.toThrow('answered 404 for Anthropic/absent');
  await expect(download(['nothing here'])).rejects.toThrow(
    'nothing here is neither a file nor the name of a data set on a hub',
  );
  await expect(download([])).rejects.toBeInstanceOf(InvalidArgumentError);
});

test('any other data set by its columns, in csv, jsonl and parquet, on a hub or on disk', async () => {
  const columns = { prompt: 'question', chosen: 'good', rejected: 'bad' };
  await download(['some/other'], { columns });
  expect(written()).toEqual([
    { id: 'some/other-1', src: 'some/other', prompt: 'Two\nlines, quoted', chosen: 'yes "so"', rejected: 'no' },
    { id: 'some/other-2', src: 'some/other', prompt: 'Three?', chosen: 'G', rejected: 'B' },
  ]);
  expect((await download(['some/other'], { columns, files: 'b/' })).pairs).toBe(1);
  await expect(download(['some/other'])).rejects.toThrow('some/other has no pairs; check its columns: 2 no-prompt');
  const own = join(folder, 'mine.jsonl');
  writeFileSync(
    own,
    jsonl(
      { id: 7, src: 'me', prompt: 'P', chosen: 'C', rejected: 'R', topic: 't', other: 1 },
      { id: 'x', chosen: transcript('Q', 'A'), rejected: transcript('Q', 'B') },
      { prompt: [message('user', 'M')], chosen: [message('assistant', 'A')], rejected: [message('assistant', 'B')] },
    ),
  );
  const { sources } = await download([own]);
  expect(written()).toEqual([
    { id: '7', src: 'me', prompt: 'P', chosen: 'C', rejected: 'R', topic: 't' },
    { id: 'x', src: 'mine', prompt: 'Q', chosen: 'A', rejected: 'B' },
    { id: 'mine-3', src: 'mine', prompt: 'M', chosen: 'A', rejected: 'B' },
  ]);
  expect(sources[0]).toMatchObject({ dataset: own, revision: await sha256File(own), files: ['mine.jsonl'] });
  await expect(download([own, own])).rejects.toThrow(/the id "7" occurs in .+ and again in .+; ids must be unique/);
});

test('a data set cannot be overwritten by its own pairs', async () => {
  const row = { id: 'a', prompt: 'P', chosen: 'C', rejected: 'R', note: 'of value' };
  writeFileSync(out, jsonl(row));
  await expect(download([join(folder, '.', 'pairs_all.jsonl')])).rejects.toBeInstanceOf(InvalidArgumentError);
  expect(written()).toEqual([row]);
});

test('damaged tables are rejected with the location, and leave the earlier file unchanged', async () => {
  writeFileSync(out, 'earlier');
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const csv = file('bad.csv', 'prompt,chosen,rejected\na,b,c\nd,e\n');
  await expect(download([csv])).rejects.toThrow(/bad\.csv, line 3: .+ Correct the line\.$/);
  await expect(download([file('quote.csv', 'prompt,chosen,rejected\n"open,b,c\n')])).rejects.toBeInstanceOf(InputError);
  await expect(download([file('latin.csv', Buffer.from([0x61, 0xe9, 0x0a]))])).rejects.toThrow('is not valid UTF-8');
  const whole = Buffer.from(
    repositories['datasets/HuggingFaceH4/ultrafeedback_binarized'].files['data/train_prefs-00000-of-00001.parquet'],
  );
  for (const cut of [5, whole.length >> 1, whole.length - 1]) {
    await expect(download([file('cut.parquet', whole.subarray(0, cut))])).rejects.toBeInstanceOf(CorruptFileError);
  }
  expect(readFileSync(out, 'utf8')).toBe('earlier');
});

test('marks inside a sentence of a transcript are text', async () => {
  expect(transcriptTurns('\n\nHuman: Human: who?\n\nAssistant:  Me. \n\n')).toEqual([
    { role: 'human', text: 'Human: who?' },
    { role: 'assistant', text: 'Me.' },
  ]);
  expect(transcriptTurns('Human: a\nAssistant: b')).toEqual([{ role: 'human', text: 'a\nAssistant: b' }]);
  for (const text of ['', 'hello', 'He said:\n\nHuman: x', 'Humans: x']) expect(transcriptTurns(text)).toBeUndefined();
  expect(promptAndAnswer(transcript('a', 'b', 'c', 'd'))).toEqual({
    prompt: 'Human: a\n\nAssistant: b\n\nHuman: c',
    answer: 'd',
  });
  for (const text of [transcript('a'), transcript('a', 'b', 'c'), '\n\nAssistant: b']) {
    expect(promptAndAnswer(text)).toBeUndefined();
  }
  const file = join(folder, 'transcripts.jsonl');
  writeFileSync(
    file,
    jsonl(
      { transcript: transcript('a', 'b') },
      { transcript: transcript('a', 'b', 'c') },
      { prompt: 'p', assistant: 'q' },
    ),
  );
  expect(await all(readConversations(file))).toEqual([
    { id: 'line-1', prompt: 'a', assistant: 'b' },
    { id: 'line-2', prompt: 'Human: a\n\nAssistant: b\n\nHuman: c' },
    { id: 'line-3', prompt: 'p', assistant: 'q' },
  ]);
  writeFileSync(file, jsonl({ chosen: transcript('a', 'b'), rejected: transcript('a', 'c') }));
  expect(await all(readPairs(file))).toEqual([
    { id: 'line-1', src: 'unknown', prompt: 'a', chosen: 'b', rejected: 'c' },
  ]);
});

test('rows have a location; a format is recognized by its bytes or its name', async () => {
  const csv = join(folder, 'x.CSV.gz');
  writeFileSync(csv, gzipSync('\ufeffa,b\n1,"x\ny"\n\n2,z\n'));
  expect(await all(readRows(csv))).toEqual([
    { fields: { a: '1', b: 'x\ny' }, location: 'line 3', number: 3 },
    { fields: { a: '2', b: 'z' }, location: 'line 5', number: 5 },
  ]);
  const parquet = join(folder, 'misnamed.jsonl');
  const columnData = [{ name: 'n', data: Array.from({ length: 5000 }, (_, at) => at), type: 'INT32' as const }];
  writeFileSync(parquet, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 1000 })));
  const rows = await all(readRows(parquet));
  expect(rows).toHaveLength(5000);
  expect(rows.at(-1)).toEqual({ fields: { n: 4999 }, location: 'row 5000', number: 5000 });
});
