import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readEmbeddings } from '@rarefy/embeddings';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';

const executable = fileURLToPath(new URL('../packages/cli/bin/rarefy.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rarefy-cli-'));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const topics = ['bake bread', 'bake a cake', 'bake a pie', 'fix a bicycle', 'prove a theorem', 'sail a boat'];
const pairs = Array.from({ length: 30 }, (_, row) => ({
  id: `pair-${row}`,
  src: row % 3 === 0 ? 'first' : 'second',
  prompt: row === 29 ? 'How do I bake bread? (1)' : `How do I ${topics[row % 6]}? (${Math.floor(row / 6) + 1})`,
  chosen: 'Like this.',
  rejected: 'No.',
}));

beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  writeFileSync(path('pairs.jsonl'), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
});

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess & { result: Promise<Result> } {
  const child = spawn(process.execPath, [executable, ...args], { cwd: folder, env: { ...process.env, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  const result = new Promise<Result>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return Object.assign(child, { result });
}

/** Runs `rarefy` with the words of a line as arguments, in the folder of the test. */
function rarefy(line: string, env?: Record<string, string>): Promise<Result> {
  const child = start(line === '' ? [] : line.split(' '), env);
  child.stdin!.end();
  return child.result;
}

describe('the commands in sequence', () => {
  test('prompts: the distinct prompts of the pairs', async () => {
    const { code, stdout } = await rarefy('prompts --pairs pairs.jsonl --out prompts.jsonl');
    expect([code, stdout]).toEqual([0, '29 distinct prompts of 30 pairs in prompts.jsonl\n']);
    const lines = readFileSync(path('prompts.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(lines[0]!)).toEqual({
      id: 'pair-0',
      prompt: pairs[0]!.prompt,
      count: 2,
      sources: ['first', 'second'],
    });
  });

  test('embed: one row per id, and only the first rows with --limit', async () => {
    expect((await rarefy('embed --data prompts.jsonl --embedder hash --out e.safetensors')).code).toBe(0);
    const { ids, embeddings, metadata } = await readEmbeddings(path('e.safetensors'));
    expect([ids[1], embeddings.rows, embeddings.cols]).toEqual(['pair-1', 29, 256]);
    expect(metadata.embedder).toMatch(/^hash:/);
    expect((await rarefy('embed --data prompts.jsonl --embedder hash --limit 3 --out few.safetensors')).code).toBe(0);
    const few = await readEmbeddings(path('few.safetensors'));
    expect(few.ids).toEqual(['pair-0', 'pair-1', 'pair-2']);
    expect(few.embeddings.data).toEqual(embeddings.data.subarray(0, 3 * 256));
  });

  test('convert: to every format and back to the same bytes', async () => {
    const formats = ['pt', 'npy', 'parquet', 'arrow', 'safetensors'];
    let from = 'e.safetensors';
    for (const format of formats) {
      const { code, stdout } = await rarefy(`convert --in ${from} --out c.${format}`);
      expect([code, stdout]).toEqual([0, `29 x 256 float32 embeddings in c.${format}\n`]);
      from = `c.${format}`;
    }
    expect(readFileSync(path('c.safetensors'))).toEqual(readFileSync(path('e.safetensors')));
    expect((await rarefy('convert --in c.pt --out h.pt --dtype float16')).stdout).toContain('29 x 256 float16');
  });

  test('density: equals the definition, from embeddings and from prompts', async () => {
    const { embeddings } = await readEmbeddings(path('e.safetensors'));
    const { code, stdout, stderr } = await rarefy('density --embeddings e.safetensors --k 5 --out w.jsonl');
    expect(code).toBe(0);
    expect(stdout).toMatch(/ESS\/N.*\n +29 /);
    expect(stderr).toContain('warning: weigh: ESS/N is 0.99');
    const lines = readFileSync(path('w.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const expected = meanNeighborDistances(embeddings.data, 29, 5).map((distance) => 1 / (distance + 1e-6));
    const total = expected.reduce((sum, density) => sum + 1 / density, 0);
    lines.forEach(({ id, density, weight, probability }, row) => {
      expect(id).toBe(row < 29 ? `pair-${row}` : '');
      expect(density).toBeCloseTo(expected[row]!, 4);
      expect(weight).toBeCloseTo(1 / expected[row]!, 4);
      expect(probability).toBeCloseTo(1 / expected[row]! / total, 6);
    });
    await rarefy('density --prompts prompts.jsonl --embedder hash --k 5 --out again.jsonl');
    expect(readFileSync(path('again.jsonl'))).toEqual(readFileSync(path('w.jsonl')));
  });

  test('density: exponent, target, mixture and cap change the weights', async () => {
    const base = 'density --embeddings e.safetensors --k 5 --out x.jsonl';
    const reports = [];
    for (const more of [
      '--target-ess 0.5',
      '--exponent 8',
      '--exponent -8',
      '--exponent 8 --cap 1',
      '--exponent 0 --mix-uniform 1',
    ]) {
      const { code, stdout } = await rarefy(`${base} ${more}`);
      expect(code).toBe(0);
      reports.push(stdout.split('\n')[1]!.trim().split(/ {2,}/));
    }
    expect(reports[0]![1]).toBe('0.500');
    expect(Number.parseFloat(reports[1]![4]!)).toBeGreaterThan(15);
    expect(Number.parseFloat(reports[2]![4]!)).toBeLessThan(6);
    expect(Number(reports[3]![1])).toBeGreaterThan(Number(reports[1]![1]));
    expect(reports[4]!.slice(1, 3)).toEqual(['1.000', '1.00']);
  });

  test('sample: as many ids as the budget without repeats, the same for the same seed', async () => {
    const base = 'sample --embeddings e.safetensors --budget 12 --k 5';
    expect((await rarefy(`${base} --seed 3 --out a.txt`)).code).toBe(0);
    await rarefy(`${base} --seed 3 --out b.txt`);
    await rarefy(`${base} --seed 4 --out c.txt`);
    const [a, b, c] = ['a.txt', 'b.txt', 'c.txt'].map((name) => readFileSync(path(name), 'utf8'));
    expect(new Set(a!.trim().split('\n')).size).toBe(12);
    expect(a).toMatch(/^(pair-\d+\n){12}$/);
    expect(b).toBe(a);
    expect(c).not.toBe(a);
  });

  test('view: writes points and a page, the same from pairs and from prompts with embeddings', async () => {
    const { code, stdout } = await rarefy('view --pairs pairs.jsonl --embedder hash --projector pca --out view');
    expect([code, stdout.split('\n').length]).toEqual([0, 3]);
    expect(readdirSync(path('view')).sort()).toEqual(['embeddings_3d.json', 'view.html']);
    const points = JSON.parse(readFileSync(path('view/embeddings_3d.json'), 'utf8'));
    expect(points).toHaveLength(29);
    expect(points[1].prompt).toBe(pairs[1]!.prompt);
    await rarefy('view --prompts prompts.jsonl --embeddings e.safetensors --projector pca --out again');
    expect(readFileSync(path('again/embeddings_3d.json'))).toEqual(readFileSync(path('view/embeddings_3d.json')));
    const umap = await rarefy('view --prompts prompts.jsonl --embeddings e.safetensors --seed 2 --out umap');
    expect(umap.code).toBe(0);
    expect((await rarefy('view --prompts prompts.jsonl --embeddings few.safetensors --out x')).stderr).toContain(
      'few.safetensors lacks 26 of 29 prompts; the first one has the id "pair-3"',
    );
  });

  test('doctor: the cpu backend works everywhere', async () => {
    const { code, stdout } = await rarefy('doctor --only cpu --json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ purpose: 'backend cpu', works: true });
    const missing = JSON.parse((await rarefy('doctor --only node-gpu --json')).stdout);
    if (!missing.works) expect(missing.detail).toMatch(/npm install|Reinstall|Choose another backend/);
    const hnsw = JSON.parse((await rarefy('doctor --only hnsw --json')).stdout);
    expect(hnsw.purpose).toBe('neighbors, hnsw');
    expect(hnsw.detail).toMatch(hnsw.works ? /^finds neighbors$/ : /npm install usearch|Reinstall/);
  });
});

describe('invalid input prints one line and sets the exit code', () => {
  beforeAll(() => {
    const text = readFileSync(path('pairs.jsonl'), 'utf8');
    writeFileSync(path('empty.jsonl'), '');
    writeFileSync(path('table.csv'), 'prompt,chosen,rejected\na,b,c\n');
    writeFileSync(path('cut.jsonl.gz'), gzipSync(text).subarray(0, 200));
    writeFileSync(path('broken.jsonl'), `${text}{"prompt": "unfinished\n`);
    writeFileSync(path('no-prompt.jsonl'), '{"id":"a","chosen":"x","rejected":"y"}\n');
    writeFileSync(path('twice.jsonl'), '{"id":"a","prompt":"x"}\n{"id":"a","prompt":"y"}\n');
    writeFileSync(path('odd-id.jsonl'), '{"id":"a\\nb","prompt":"x"}\n{"id":"c","prompt":"y"}\n');
    writeFileSync(path('damaged.safetensors'), 'no tensors');
  });

  test.each([
    ['prompts --pairs missing.jsonl --out x', 1, 'missing.jsonl: it does not exist'],
    ['prompts --pairs empty.jsonl --out x', 1, 'empty.jsonl'],
    ['prompts --pairs cut.jsonl.gz --out x', 1, 'is truncated'],
    ['prompts --pairs broken.jsonl --out x', 1, 'broken.jsonl, line 31'],
    ['prompts --pairs table.csv --out x', 1, '`rarefy download` converts csv and parquet'],
    ['prompts --pairs no-prompt.jsonl --out x', 1, 'no-prompt.jsonl, line 1'],
    ['prompts --pairs pairs.jsonl --out pairs.jsonl/x', 1, 'cannot write'],
    ['prompts --pairs pairs.jsonl --out x --on-bad-line maybe', 2, '--on-bad-line must be one of stop, skip'],
    ['prompts --out x', 2, '--pairs is required'],
    ['prompts --pairs pairs.jsonl --merge-near-duplicates 2', 2, '--merge-near-duplicates must be a number'],
    ['download --out x', 2, '--dataset is required'],
    ['download --dataset nothing', 1, 'nothing is neither a file nor the name'],
    ['models pull --endpoint x', 2, 'give the name first: rarefy models pull all-MiniLM-L6-v2'],
    ['models path absent', 1, 'get it with: rarefy models pull absent'],
    ['models pull a/b --endpoint http://127.0.0.1:9/?x', 2, 'the endpoint must be an http or https address'],
    ['embed --data twice.jsonl --embedder hash --out x.safetensors', 1, 'the id "a" twice'],
    ['embed --data pairs.jsonl --out x.safetensors --ckpt nowhere', 1, 'there is no model in nowhere'],
    ['embed --data pairs.jsonl --out x.safetensors --embedder use --backend gpu', 2, '--backend must be one of'],
    ['embed --data pairs.jsonl --out x', 2, 'x has no extension of an embedding file'],
    ['embed --data pairs.jsonl --out x.safetensors --resume --force', 2, 'exclude each other'],
    [
      'embed --data pairs.jsonl --out x.safetensors --embedder hash --pooling max',
      2,
      '--pooling applies only to causal-lm and onnx; the embedder is hash',
    ],
    ['embed --data pairs.jsonl --out x.safetensors --ckpt base --pooling cls', 2, '--pooling cls applies only to onnx'],
    [
      'embed --data pairs.jsonl --out x.safetensors --embedder hash --batch-tokens 9',
      2,
      '--batch-tokens applies only to causal-lm, logits, onnx and use',
    ],
    ['embed --data pairs.jsonl --out x.safetensors --batch-size 0', 2, '--batch-size must be an integer, at least 1'],
    ['embed --data pairs.jsonl --out x.safetensors --embedder http', 2, '--embedder http needs --url and --url-model'],
    [
      'embed --data pairs.jsonl --out x.safetensors --embedder hash --url x',
      2,
      '--url applies only to http; the embedder is hash',
    ],
    ['convert --in e.safetensors --out x', 2, 'x has no extension of an embedding file'],
    ['convert --in damaged.safetensors --out x.pt', 1, 'damaged.safetensors'],
    ['convert --in e.safetensors --out x.parquet --dtype float16', 2, 'can store float32, not float16'],
    ['convert --in e.safetensors --out x.pt --dtype f16', 2, '--dtype must be one of'],
    ['density --embeddings few.safetensors --k 3 --out x', 2, 'k = 3'],
    ['density --embeddings damaged.safetensors --out x', 1, 'damaged.safetensors'],
    [
      'density --embeddings e.safetensors --target-ess 50 --out x',
      2,
      '--target-ess must be a number, at least 0 and at most 1; got 50. Did you mean 0.5? It is a share, not a percentage.',
    ],
    ['density --embeddings e.safetensors --target-ess 0 --out x', 2, '--target-ess must be above 0'],
    ['density --out x', 2, 'give --pairs, --prompts or --embeddings'],
    ['sample --embeddings few.safetensors --budget 4 --out x', 2, '--budget 4 is more than the 3 rows'],
    ['sample --embeddings few.safetensors --budget 2 --out x', 2, 'k = 20'],
    ['view --out x', 2, 'give either --pairs or --prompts'],
    ['smaple', 2, 'unknown command smaple. Did you mean sample?'],
    ['sample --bugdet 3', 2, 'unknown option --bugdet. Did you mean --budget?'],
  ])('rarefy %s', async (line, code, message) => {
    const result = await rarefy(line);
    const lines = result.stderr.split('\n').filter((text) => !/^((read|embed): \d+ in |embedder: )/.test(text));
    expect(lines).toEqual([expect.stringMatching(/^rarefy: /), '']);
    expect(lines[0]).toContain(message);
    expect(result.code).toBe(code);
    for (const name of ['x', 'x.safetensors']) expect(existsSync(path(name))).toBe(false);
  });

  test('refuses an unknown backend in RAREFY_BACKEND', async () => {
    const result = await rarefy('embed --data pairs.jsonl --out x.safetensors --embedder use', {
      RAREFY_BACKEND: 'gpu',
    });
    expect(result.stderr).toContain("rarefy: backend 'gpu' is unknown");
    expect(result.code).toBe(2);
  });

  test('refuses an id that contains a line break', async () => {
    await rarefy('embed --data odd-id.jsonl --embedder hash --out odd.safetensors');
    const { code, stderr } = await rarefy('sample --embeddings odd.safetensors --k 1 --budget 2 --out x');
    expect([code, stderr]).toEqual([1, expect.stringContaining('"a\\nb" contains a line break')]);
  });

  test('skips malformed lines on request, and counts them', async () => {
    const { code, stdout, stderr } = await rarefy(
      'prompts --pairs broken.jsonl --out skipped.jsonl --on-bad-line skip',
    );
    expect([code, stdout]).toEqual([0, '29 distinct prompts of 30 pairs in skipped.jsonl\n']);
    expect(stderr).toContain('warning: read: bad lines skipped: 1 not-json');
  });

  test('--debug prints the stack of an error', async () => {
    const { code, stderr } = await rarefy('prompts --pairs missing.jsonl --out x --debug');
    expect(code).toBe(1);
    expect(stderr).toMatch(/InputError: cannot read missing\.jsonl[\s\S]*\n {4}at /);
  });
});

test('the help of every command has an example and loads no library', async () => {
  writeFileSync(
    path('loaded.cjs'),
    `process.on('exit', () => console.error('loaded:', Object.keys(require.cache).some((file) => file.includes('tensorflow'))));`,
  );
  const env = { NODE_OPTIONS: `--require ${path('loaded.cjs')}` };
  const { stdout } = await rarefy('--help', env);
  const commands = [...stdout.matchAll(/^ +([a-z]+) {2,}/gm)].map(([, name]) => name!);
  expect(commands).toEqual([
    'demo',
    'download',
    'models',
    'prompts',
    'embed',
    'convert',
    'density',
    'sample',
    'view',
    'train',
    'compare',
    'check',
    'doctor',
  ]);
  const lines = [
    ...commands.filter((name) => name !== 'train' && name !== 'models'),
    ...['pull', 'list', 'path'].map((verb) => `models ${verb}`),
    ...['base', 'sft', 'rm', 'grpo'].map((stage) => `train ${stage}`),
  ];
  for (const line of lines) {
    const help = await rarefy(`${line} --help`, env);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain(`EXAMPLE\n\n  rarefy ${line}`);
    expect(help.stdout).not.toContain('\u001b');
    expect(help.stderr).toBe('loaded: false\n');
  }
  expect((await rarefy('doctor --only cpu', env)).stderr).toContain('loaded: true');
  const { version } = JSON.parse(readFileSync(new URL('../packages/cli/package.json', import.meta.url), 'utf8'));
  expect((await rarefy('--version')).stdout).toBe(`${version}\n`);
});

test('a closed output pipe is not a failure, and the work completes', async () => {
  const child = start(['prompts', '--pairs', 'pairs.jsonl', '--out', 'piped.jsonl']);
  child.stdout!.destroy();
  child.stderr!.destroy();
  expect((await child.result).code).toBe(0);
  expect(existsSync(path('piped.jsonl'))).toBe(true);
});

/** Mean distance of each row to its k nearest other rows, by comparing all pairs. */
function meanNeighborDistances(data: Float32Array, rows: number, k: number): number[] {
  const cols = data.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    const distances = [];
    for (let other = 0; other < rows; other++) {
      if (other === row) continue;
      let squares = 0;
      for (let col = 0; col < cols; col++) squares += (data[row * cols + col]! - data[other * cols + col]!) ** 2;
      distances.push(Math.sqrt(squares));
    }
    return (
      distances
        .sort((a, b) => a - b)
        .slice(0, k)
        .reduce((sum, distance) => sum + distance, 0) / k
    );
  });
}
