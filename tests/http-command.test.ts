import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embed } from '@rarefy/core';
import { hashEmbedder } from '@rarefy/embedders/hash';
import { readEmbeddings } from '@rarefy/embeddings';
import { afterAll, expect, test } from 'vitest';
import { dimensions, startEmbeddingServer } from './support/embedding-server.js';
import { startRarefy } from './support/rarefy.js';

const cwd = mkdtempSync(join(tmpdir(), 'rarefy-http-'));
const key = 'sk-very-secret';
const server = await startEmbeddingServer(({ headers, earlier }, response) => {
  if (headers.authorization === `Bearer ${key}` && earlier > 0) return undefined; // the first attempt of each batch fails
  const message = `not now, ${headers.authorization}`;
  response
    .writeHead(headers.authorization ? 503 : 401, { 'retry-after': '0' })
    .end(JSON.stringify({ error: { message } }));
  return true;
});
afterAll(async () => {
  await server.stop();
  rmSync(cwd, { recursive: true });
});

const prompts = Array.from({ length: 100 }, (_, row) => `prompt ${row} of a hundred`);
writeFileSync(join(cwd, 'prompts.jsonl'), prompts.map((prompt, id) => `${JSON.stringify({ id, prompt })}\n`).join(''));
const run = (out: string, env: Readonly<Record<string, string>> = { RAREFY_API_KEY: key }) => {
  const choice = ['--embedder', 'http', '--url', server.url, '--url-model', 'words', '--cache', 'cache'];
  return startRarefy(['embed', '--data', 'prompts.jsonl', '--out', out, ...choice], { cwd, env }).result;
};

test('rarefy embed calls a service, caches its rows, and never prints the key', async () => {
  const first = await run('first.safetensors');
  expect(first.code, first.stderr).toBe(0);
  expect(first.stderr).toContain('answered 503 (not now, Bearer [key])');
  expect(first.stdout + first.stderr).not.toContain('secret');
  const { ids, embeddings } = await readEmbeddings(join(cwd, 'first.safetensors'));
  expect(ids).toEqual(prompts.map((_, id) => String(id)));
  const seed = Number.parseInt('words', 36) % 2 ** 31;
  const expected = await embed(hashEmbedder({ dimensions, seed }), prompts);
  for (const [index, value] of embeddings.data.entries()) expect(value).toBeCloseTo(expected.data[index]!, 6);

  const asked = server.requests.length;
  expect((await run('second.safetensors')).code).toBe(0);
  expect(server.requests.length - asked).toBe(1); // for the number of columns
  expect((await readEmbeddings(join(cwd, 'second.safetensors'))).embeddings).toEqual(embeddings);

  const refused = await run('third.safetensors', { RAREFY_API_KEY: '' });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('answered 401 (not now, undefined); check address, model and key');
});

test('SIGTERM ends a wait for a busy service at once, and the same command continues later', async () => {
  let isBusy = true;
  const busy = await startEmbeddingServer(({ texts }, response) => {
    if (!isBusy || texts[0] === 'dimensions') return undefined;
    response.writeHead(429, { 'retry-after': '300' }).end(); // longer than this test can take
    return true;
  });
  const args = ['embed', '--data', 'prompts.jsonl', '--out', 'busy.npy', '--embedder', 'http', '--url-model', 'words'];
  const start = () => startRarefy([...args, '--url', busy.url], { cwd, env: { RAREFY_API_KEY: '' } });
  const { child, result } = start();
  const waits = () => busy.requests.length > 1 || child.exitCode !== null;
  while (!waits()) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill('SIGTERM');
  const { code, stderr } = await result;
  expect(code, stderr).toBe(143);
  expect(readdirSync(cwd).filter((name) => name.startsWith('busy'))).toEqual([]);
  isBusy = false;
  expect(await start().result).toMatchObject({ code: 0, stdout: `100 x ${dimensions} embeddings in busy.npy\n` });
  await busy.stop();
});
