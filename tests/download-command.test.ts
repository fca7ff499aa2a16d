import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startHub } from './support/hub-server.js';
import { startRarefy } from './support/rarefy.js';

const cwd = mkdtempSync(join(tmpdir(), 'rarefy-download-'));
const pair = (question: string, better: string, worse: string) =>
  JSON.stringify({
    chosen: `\n\nHuman: ${question}\n\nAssistant: ${better}`,
    rejected: `\n\nHuman: ${question}\n\nAssistant: ${worse}`,
  });
const questions = [
  'How is bread baked at home, from flour and water?',
  'How is bread baked at home from flour and water?',
  'Why?',
];
const hub = await startHub({
  'datasets/Anthropic/hh-rlhf': {
    files: { 'helpful-base/train.jsonl': `${questions.map((question) => pair(question, 'So.', 'No.')).join('\n')}\n` },
    tags: ['license:mit'],
  },
  'models/some/model': { files: { 'config.json': '{}', 'model.safetensors': 'weights' } },
});
afterAll(async () => {
  await hub.stop();
  rmSync(cwd, { recursive: true });
});

const env = { XDG_CACHE_HOME: join(cwd, 'cache'), HF_ENDPOINT: hub.endpoint };
const rarefy = (...args: string[]) => startRarefy(args, { cwd, env }).result;
const json = (file: string) =>
  readFileSync(join(cwd, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('turns a data set into pairs and the pairs into prompts, and merges near duplicates', async () => {
  const own = join(cwd, 'own.csv');
  writeFileSync(own, 'question,good,bad\nMine?,yes,no\n');
  const columns = ['--prompt-column', 'question', '--chosen-column', 'good', '--rejected-column', 'bad'];
  const { code, stdout, stderr } = await rarefy('download', '--dataset', 'Anthropic/hh-rlhf,own.csv', ...columns);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('4 pairs in pairs_all.jsonl');
  expect(stdout).toMatch(/Anthropic\/hh-rlhf +3 +0 +mit/);
  expect(json('pairs_all.jsonl').map(({ prompt }) => prompt)).toEqual([...questions, 'Mine?']);
  const manifest = JSON.parse(readFileSync(join(cwd, 'pairs_all.jsonl.manifest.json'), 'utf8'));
  expect(manifest.sources.map(({ dataset }: { dataset: string }) => dataset)).toEqual(['Anthropic/hh-rlhf', 'own.csv']);

  expect((await rarefy('prompts', '--pairs', 'pairs_all.jsonl')).stdout).toContain(
    '4 distinct prompts of 4 pairs in prompts_all.jsonl',
  );
  expect((await rarefy('prompts', '--pairs', 'pairs_all.jsonl', '--merge-near-duplicates', '0.8')).stdout).toContain(
    '3 distinct prompts of 4 pairs in prompts_all.jsonl; 1 near-duplicates merged',
  );
  expect(json('prompts_all.jsonl').map(({ count }) => count)).toEqual([2, 1, 1]);
  const refused = await rarefy('prompts', '--pairs', 'pairs_all.jsonl', '--out', './pairs_all.jsonl');
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--pairs and --out are the same file'),
  });
  expect(json('pairs_all.jsonl')).toHaveLength(4);
});

test('pulls, lists and finds a model', async () => {
  expect((await rarefy('models', 'list')).stdout).toContain('get one with: rarefy models pull');
  expect((await rarefy('models', 'pull', 'some/model')).stdout).toMatch(
    /^some\/model at [0-9a-f]{40}, license unknown, 0\.0 MB in /,
  );
  expect((await rarefy('models', 'list')).stdout).toContain('some/model');
  const folder = (await rarefy('models', 'path', 'some/model')).stdout.trim();
  expect(readFileSync(join(folder, 'model.safetensors'), 'utf8')).toBe('weights');
  const { code, stderr } = await rarefy('models', 'pull', 'some/other');
  expect(code).toBe(1);
  expect(stderr).toContain('answered 404 for some/other; check its name and the revision');
});
