import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEmbeddings, verifyEmbeddings } from '@rarefy/embeddings';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { isInstalled } from './support/is-installed.js';
import { type CommandResult, rarefy, rarefyBin, startRarefy } from './support/rarefy.js';

const cwd = mkdtempSync(join(tmpdir(), 'rarefy-embed-command-'));
const path = (name: string) => join(cwd, name);
const rows = Array.from({ length: 24_000 }, (_, row) => ({
  id: `row-${row}`,
  prompt: `How do I bake ${row % 18_000} loaves?`,
}));
const lines = (some: readonly object[]) => some.map((row) => `${JSON.stringify(row)}\n`).join('');
const embed = (line: string) => ['embed', ...line.split(' ')];
const run = (line: string, input?: string) => rarefy(embed(line), { cwd, ...(input === undefined ? {} : { input }) });
beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  writeFileSync(path('long.jsonl'), lines(rows));
  writeFileSync(path('short.jsonl'), lines(rows.slice(0, 40)));
  writeFileSync(
    path('chats.jsonl'),
    lines([
      { id: 'a', prompt: 'Why?', assistant: 'So.' },
      { id: 'b', prompt: 'Why?' },
    ]),
  );
});
afterAll(() => rmSync(cwd, { recursive: true }));

/** Starts the long job, and sends the signal once, after its first shards are saved. */
async function stopped(out: string, signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<CommandResult> {
  const { child, result } = startRarefy(embed(`--data long.jsonl --embedder hash --out ${out}`), { cwd });
  const timer = setInterval(() => {
    try {
      if (!readdirSync(path(`${out}.parts`)).some((name) => name.endsWith('.rows'))) return;
    } catch {
      return; // no shard yet
    }
    clearInterval(timer); // a second signal would exit at once
    child.kill(signal);
  }, 5);
  const ended = await result.finally(() => clearInterval(timer));
  if (!readdirSync(cwd).includes(out)) return ended;
  // On a busy machine the job may finish before the signal arrives: try again.
  for (const name of [out, `${out}.manifest.json`]) rmSync(path(name), { force: true });
  return stopped(out, signal);
}

test('after Ctrl-C, SIGTERM or SIGKILL the same command continues and ends with the same bytes', {
  timeout: 300_000,
}, async () => {
  expect((await run('--data long.jsonl --embedder hash --out whole.safetensors')).code).toBe(0);
  const whole = readFileSync(path('whole.safetensors'));
  expect((await readEmbeddings(path('whole.safetensors'))).ids).toEqual(rows.map(({ id }) => id));
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const) {
    const out = `${signal.toLowerCase()}.safetensors`;
    const result = await stopped(out, signal);
    expect(result.code).toBe(code);
    if (code !== null) expect(result.stderr).toMatch(/\nrarefy: stopping; press Ctrl-C again to quit at once\n$/);
    expect(readdirSync(cwd).filter((name) => name.startsWith(out))).toContain(`${out}.parts`);
    expect(readdirSync(cwd)).not.toContain(out);
    const again = await run(`--data long.jsonl --embedder hash --out ${out}`);
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/embed: continuing after \d+ of 24000 rows/),
    });
    expect(readFileSync(path(out)).equals(whole)).toBe(true);
    expect(
      readdirSync(cwd)
        .filter((name) => name.includes(out))
        .sort(),
    ).toEqual([out, `${out}.manifest.json`]);
  }
});

test('refuses a second run at the same time, without disturbing the first one', async () => {
  const first = startRarefy(embed('--data long.jsonl --embedder hash --out busy.safetensors'), { cwd });
  // Wait until the first run holds its lock or has already released it.
  while (!readdirSync(cwd).some((name) => name === 'busy.safetensors.lock' || name === 'busy.safetensors')) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const second = await run('--data long.jsonl --embedder hash --out busy.safetensors');
  const { code } = await first.result;
  expect(code).toBe(0);
  // On a busy machine, the first run may finish before the second one starts.
  if (second.code !== 0) expect(second.stderr).toMatch(/rarefy: process \d+ is writing these files/);
  await verifyEmbeddings(path('busy.safetensors'));
});

test('repeating a command computes nothing; other data is refused, or replaced on request', async () => {
  const line = '--data short.jsonl --embedder hash --out e.safetensors';
  expect((await run(line)).stdout).toBe('40 x 256 embeddings in e.safetensors\n');
  expect(await run(line)).toMatchObject({ code: 0, stderr: expect.stringContaining('the file already has every row') });
  const refused = await run(`${line} --limit 30`);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('belongs to another job: rows 40, requested 30'),
  });
  expect((await run(`${line} --limit 30 --no-resume`)).stdout).toBe('30 x 256 embeddings in e.safetensors\n');
  expect((await run(`${line} --dtype float16 --force`)).code).toBe(0);
  const manifest = JSON.parse(readFileSync(path('e.safetensors.manifest.json'), 'utf8'));
  expect(manifest).toMatchObject({
    rows: 40,
    dtype: 'float16',
    embedder: expect.stringMatching(/^hash:/),
    model: { embedder: 'hash' },
    data: { path: 'short.jsonl', rows: 40, fileSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    counts: { distinct: 40, truncated: 0, failed: 0 },
    versions: { node: process.versions.node, rarefy: expect.any(String) },
  });
});

test('reads conversations from standard input, embeds answers, and selects the format by extension', async () => {
  const { code, stdout } = await run(
    '--data - --embedder hash --out chats.npy',
    readFileSync(path('chats.jsonl'), 'utf8'),
  );
  expect([code, stdout]).toEqual([0, '2 x 256 embeddings in chats.npy\n']);
  const { ids, embeddings } = await readEmbeddings(path('chats.npy'));
  expect(ids).toEqual(['a', 'b']);
  expect(embeddings.data.subarray(0, 256)).not.toEqual(embeddings.data.subarray(256));
  expect((await verifyEmbeddings(path('chats.npy'))).files.map(({ name }) => name)).toEqual([
    'chats.npy',
    'chats.ids.json',
  ]);
});

test('a pipe is read once; an impossible request is refused before anything is embedded', async () => {
  const line = 'head -n 7 short.jsonl | "$0" "$1" embed --data /dev/stdin --embedder hash --out piped.safetensors';
  const { status, stdout } = spawnSync('sh', ['-c', line, process.execPath, rarefyBin], { cwd, encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, '7 x 256 embeddings in piped.safetensors\n']);
  const bad = `{"id":"a","prompt":"p"}\nnot JSON\n{"id":"b","prompt":""}\n{"id":"c","prompt":"q"}\n`;
  expect((await run('--data - --embedder hash --out x.npy', bad)).stderr).toContain(
    'line 2 (byte 24): the line is not JSON',
  );
  const skipped = await run('--data - --embedder hash --on-bad-line skip --out skipped.npy', bad);
  expect(skipped).toMatchObject({ code: 0, stdout: '2 x 256 embeddings in skipped.npy\n' });
  expect(skipped.stderr).toContain('bad lines skipped: 1 not-json, 1 no-prompt');
  for (const [options, message] of [
    ['--embedder hash --dtype float16 --out x.parquet', 'x.parquet can store float32, not float16'],
    ['--embedder hash --dtype bfloat16 --out x.arrow --dry-run', 'x.arrow can store float32 or float16'],
    [
      '--embedder hash --ckpt base --out x.npy',
      '--ckpt applies only to causal-lm, logits and onnx; the embedder is hash',
    ],
  ]) {
    const refused = await run(`--data short.jsonl ${options}`);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(message!) });
  }
  expect(readdirSync(cwd).filter((name) => name.startsWith('x.'))).toEqual([]);
});

test('--dry-run reports rows, tokens, time and memory, and writes nothing', async () => {
  const before = readdirSync(cwd);
  const { code, stdout } = await run(
    '--data long.jsonl --embedder causal-lm --backend cpu --out dry.safetensors --dry-run --limit 100',
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^rows +distinct +tokens +time +file +memory\n +100 +100 +\d{4} +\d+\.\d s +0\.0 MiB +\d+\.\d MiB\n/,
  );
  expect(stdout).toContain('Estimated from 64 texts, embedded in ');
  expect(readdirSync(cwd)).toEqual(before);
});

describe('the default embedder', () => {
  const cache = path('cache');
  const start = (line: string, env: Record<string, string>) =>
    startRarefy(embed(line), { cwd, env: { XDG_CACHE_HOME: cache, RAREFY_MODELS: '', NODE_PATH: '', ...env } }).result;

  test('is the sentence encoder that comes with rarefy, if no sentence model is found', async () => {
    const { code, stderr } = await start('--data short.jsonl --limit 2 --out use.safetensors --backend wasm', {});
    expect(code).toBe(0);
    expect(stderr).toContain('embedder: use: Universal Sentence Encoder lite (no sentence model was found)');
    const { model } = JSON.parse(readFileSync(path('use.safetensors.manifest.json'), 'utf8'));
    expect(model).toEqual({ embedder: 'use', backend: 'wasm' });
  });

  test('is onnx if its model is found, unless the library that runs it is missing', async () => {
    mkdirSync(join(cache, 'rarefy', 'models', 'all-MiniLM-L6-v2'), { recursive: true });
    writeFileSync(join(cache, 'rarefy', 'models', 'all-MiniLM-L6-v2', 'modules.json'), '[]');
    if (!isInstalled('onnxruntime-node')) {
      const missing = await start('--data short.jsonl --limit 2 --out missing.safetensors --backend wasm', {});
      expect(missing).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/needs onnxruntime-node: .*npm install onnxruntime-node/),
      });
    }
    const library = join(cwd, 'libraries', 'onnxruntime-node');
    mkdirSync(library, { recursive: true });
    writeFileSync(join(library, 'index.js'), 'exports.InferenceSession = { create: 1 };');
    const found = await start('--data short.jsonl --limit 2 --out found.safetensors', {
      NODE_PATH: join(cwd, 'libraries'),
    });
    expect(found).toMatchObject({ code: 1, stderr: expect.stringContaining('all-MiniLM-L6-v2 has the modules ') });
  });

  test('is onnx for --ckpt of a sentence model, by path or name, and causal-lm for any other', async () => {
    mkdirSync(path('sentences'));
    writeFileSync(path('sentences/modules.json'), '[]');
    for (const ckpt of ['sentences', 'all-MiniLM-L6-v2']) {
      const { code, stderr } = await start(`--data short.jsonl --out x.safetensors --ckpt ${ckpt}`, {});
      expect([code, stderr]).toEqual([1, expect.stringContaining('has the modules ')]);
    }
    const { stderr } = await start('--data short.jsonl --out x.safetensors --ckpt base', {});
    expect(stderr).toContain('there is no model in out/base');
  });
});
