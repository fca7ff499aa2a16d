import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { startRarefy } from './support/rarefy.js';

const example = fileURLToPath(new URL('../examples/custom-sampler/custom-sampler.ts', import.meta.url));
const reference = fileURLToPath(new URL('../packages/testing/src/reference/samplers.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rarefy-check-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
/** A temporary folder for this test only: other programs create and remove files in the shared one. */
const temporary = join(folder, 'temporary');
const check = (...words: string[]) =>
  startRarefy(['check', ...words], { cwd: folder, env: { TMPDIR: temporary } }).result;

/** The sampler of the example with another `restore`, and code before and after it. */
const sampler = (restore: string) => `
  import { start } from './start.js';
  export const unit: number = 1;
  export default (size: number, seed: number) => {
    const fingerprint = \`broken:size=\${size},seed=\${seed}\`;
    let next = start(seed, size);
    return {
      specificationVersion: 'v1', kind: 'sampler', fingerprint,
      capabilities: { replacement: false, finite: false, adaptive: false },
      draw: (count: number) => ({ positions: Int32Array.from({ length: count }, () => next++ % size) }),
      state: () => ({ version: 1, fingerprint, payload: next }),
      ${restore}
    };
  };`;

beforeAll(() => {
  mkdirSync(temporary);
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  write('start.ts', 'export const start = (seed: number, size: number): number => seed % size;');
  write('forgets.ts', sampler('restore() {},'));
});

test('the example passes with one line per check and leaves no files behind', async () => {
  const { code, stdout, stderr } = await check(example);
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toBe('sampler round-robin:size=37,seed=3');
  expect(lines).toContain('passed   resumes from any state after a JSON round trip');
  expect(lines).toContain('passed   has a different fingerprint for every option');
  expect(lines).toContain('passed   draws every position once per epoch');
  expect(lines).toContain('skipped  has probabilities that sum to 1: needs probabilities');
  const [passed, failed, skipped] = lines.at(-1)!.match(/\d+/g)!.map(Number);
  expect(failed).toBe(0);
  expect(passed! + skipped!).toBe(lines.length - 2);
  expect(passed).toBeGreaterThan(12);
  expect(readdirSync(temporary)).toEqual([]);
});

test('the example passes in a folder without installed packages', async () => {
  copyFileSync(example, join(folder, 'alone.ts'));
  const { code, stdout, stderr } = await check('alone.ts');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/\b0 failed\b/);
});

test('a sampler that ignores restored states fails the checks of its state, with the observation and the reason why it matters', async () => {
  const { code, stdout, stderr } = await check('forgets.ts');
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^failed {3}resumes from any state after a JSON round trip: expected .*\. A run that is killed/m,
  );
  expect(stdout).toMatch(/^failed {3}rejects the state of another sampler: /m);
  expect(stderr).toMatch(/^rarefy: forgets\.ts failed \d of \d+ checks\.\n$/);
});

test('a file that exports fromWeights is checked with weights too', async () => {
  write(
    'weights.ts',
    `import { rouletteSampler } from '${reference}';
    export default (size: number, seed: number) => rouletteSampler(new Float64Array(size).fill(1), { seed });
    export const fromWeights = (weights: Float64Array) => rouletteSampler(weights.map((w) => w || 1), { seed: 1 });`,
  );
  const { code, stdout } = await check('weights.ts');
  expect(stdout).toContain('passed   draws each position as often as its probability says');
  expect(stdout).toContain('passed   draws equal weights equally often');
  expect(stdout).toMatch(/^failed {3}never draws a position of weight 0: position \d has weight 0, but was drawn/m);
  expect(code).toBe(1);
});

test('an export with a name near one of the checks is reported, and a skipped check says what it needs', async () => {
  write(
    'misspelled.ts',
    `import { rouletteSampler } from '${reference}';
    export default (size: number) => rouletteSampler(new Float64Array(size).fill(1), { seed: 1 });
    export const fromWeight = (weights: Float64Array) => rouletteSampler(weights, { seed: 1 });`,
  );
  const { stdout } = await check('misspelled.ts');
  expect(stdout).toContain('ignored  the export "fromWeight"; did you mean "fromWeights"?');
  expect(stdout).toMatch(
    /^skipped {2}rejects invalid weights: needs `fromWeights` in the subject: \(weights, seed\) =>/m,
  );
});

test('the command ends even if the file leaves work running', async () => {
  write('endless.ts', `${sampler('restore() {},')} setInterval(() => {}, 1000);`);
  const { code, stdout } = await check('endless.ts');
  expect([code, stdout]).toEqual([1, expect.stringMatching(/\d+ passed, \d+ failed, \d+ skipped\n$/)]);
});

test('JavaScript, a named function and a given kind', async () => {
  const plain = (kind: string) => `
    const sum = (text) => [...text].reduce((total, character) => total + character.charCodeAt(0), 0);
    const embedder = () => ({
      specificationVersion: 'v1', kind: '${kind}', fingerprint: 'sums',
      capabilities: { dimensions: 1, maxBatch: 4, maxConcurrency: 1, normalized: false, deterministic: true, batchTolerance: 0 },
      async embedBatch(items, { signal } = {}) {
        signal?.throwIfAborted();
        return { embeddings: { data: Float32Array.from(items, sum), rows: items.length, cols: 1 } };
      },
      async [Symbol.asyncDispose]() {},
    });
    export { embedder as first, embedder as second };`;
  write('sums.mjs', plain('embedder'));
  const { code, stdout } = await check('sums.mjs', '--export', 'second');
  expect([code, stdout]).toEqual([
    0,
    expect.stringContaining('embedder sums\npassed   has the methods of its interface'),
  ]);
  write('unkind.mjs', plain('encoder'));
  expect((await check('unkind.mjs', '--export', 'first')).stderr).toContain('the kind "encoder"');
  const overridden = await check('unkind.mjs', '--export', 'first', '--kind', 'embedder');
  expect(overridden.stdout).toContain(
    "failed   declares its version, kind and fingerprint: expected kind 'embedder', got 'encoder'.",
  );
});

test('an embedder is checked with the texts of a file', async () => {
  write(
    'numbers.ts',
    `import { embedderFrom } from '@rarefy/core';
    const row = (text: string) => [Number(text) || 0, 1]; // equal for all texts without a number
    export default () => embedderFrom({ name: 'numbers', dimensions: 2, embed: async (texts: readonly string[]) => texts.map(row) });`,
  );
  write('texts.txt', '12\n7\n\n305\n');
  expect((await check('numbers.ts')).stdout).toMatch(/^failed {3}returns different rows for different texts/m);
  const { stdout } = await check('numbers.ts', '--texts', 'texts.txt');
  expect(stdout).toMatch(/^passed {3}returns different rows for different texts/m);
  write('two.txt', 'a\nb\na\n');
  expect((await check('numbers.ts', '--texts', 'two.txt')).stderr).toContain('two.txt holds 2 different texts');
  expect(await check('forgets.ts', '--texts', 'texts.txt')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--texts applies only to embedders; the component is of the kind sampler'),
  });
});

test('an exporter is read back by the `read` of its file', async () => {
  const path = fileURLToPath(new URL('../packages/testing/src/reference/naive-exporter.ts', import.meta.url));
  write(
    'exporter.ts',
    `import { naiveExporter } from '${path}';
    export default () => naiveExporter('json');
    export const read = (files: ReadonlyMap<string, Uint8Array>) => {
      const rows = JSON.parse(new TextDecoder().decode([...files.values()][0])) as string[][];
      return { ids: rows.map(([id]) => id) };
    };`,
  );
  const { code, stdout } = await check('exporter.ts');
  expect(stdout).toContain('passed   writes files that read back as the same view');
  expect(code).toBe(0);
  write(
    'loses.ts',
    `import { naiveExporter } from '${path}';
    export default () => naiveExporter('json');
    export const read = () => ({ ids: [] });`,
  );
  expect((await check('loses.ts')).stdout).toContain('failed   writes files that read back as the same view');
});

test('loaders, loggers and forward models are checked by --kind', async () => {
  const reference = fileURLToPath(new URL('../packages/testing/src/reference/naive-loader.ts', import.meta.url));
  write('loader.ts', `export { naiveLoader as default } from '${reference}';`);
  const loader = await check('loader.ts', '--kind', 'loader');
  expect([loader.code, loader.stdout]).toEqual([0, expect.stringMatching(/^loader\n/)]);
  write(
    'logger.ts',
    `export const memory = () => {
      const steps: unknown[] = [];
      return {
        logger: { log: async (step: number, metrics: Record<string, number>) => void steps.push({ step, metrics: { ...metrics } }), close: async () => {} },
        read: () => steps,
      };
    };`,
  );
  const logger = await check('logger.ts', '--kind', 'metric-logger');
  expect(logger.stdout).toMatch(/^metric-logger\n(?:passed|failed)/);
  expect(logger.stdout).toMatch(/[1-9]\d* passed, /);
  write('forward.ts', 'export const model = () => ({});');
  const model = await check('forward.ts', '--kind', 'forward-model');
  expect([model.code, model.stdout]).toEqual([1, expect.stringMatching(/^forward-model\nfailed/)]);
});

test.each([
  [[], 2, 'give the file first'],
  [['--kind', 'sampler'], 2, 'give the file first'],
  [['missing.ts'], 1, 'cannot read missing.ts: it does not exist'],
  [['syntax.ts'], 1, 'syntax.ts does not compile'],
  [['throws.ts'], 1, 'throws.ts fails while it is imported: not today'],
  [['nothing.ts'], 1, 'nothing.ts exports no function'],
  [['several.ts'], 1, 'several.ts exports the functions one, two; export one'],
  [['several.ts', '--export', 'three'], 1, 'none is named three'],
  [['several.ts', '--export', 'one'], 1, 'the function returned 1, and not a component'],
  [['several.ts', '--export', 'two'], 1, 'the function of several.ts failed when it was called without arguments: no'],
  [['several.ts', '--export', 'tow'], 1, 'none is named tow. Did you mean two?'],
  [
    ['prompts.ts'],
    1,
    'the function of prompts.ts failed when it was called with (37, 3), a number of items and a seed: prompts.map is not a function. It must return the component. A loader, whose function takes prompts, needs --kind loader; for a function of texts',
  ],
  [['logger.mjs'], 1, 'the function returned an object without a kind; give --kind: embedder, '],
  [['class.ts'], 1, 'class.ts exports the class Mine; export a function that returns an object of it'],
  [['forgets.ts', '--kind', 'loders'], 2, 'got loders. Did you mean loader?'],
  [['forgets.ts', '--kinds', 'loader'], 2, 'unknown option --kinds. Did you mean --kind?'],
])('rarefy check %j', async (words, code, message) => {
  write('syntax.ts', 'export const = 3;');
  write('throws.ts', 'throw new Error("not today");');
  write('nothing.ts', 'export const value: number = 3;');
  write('several.ts', 'export const one = () => 1; export const two = () => { throw new Error("no"); };');
  write('prompts.ts', 'export default (prompts: string[], _: object) => prompts.map((text) => text.length);');
  write('logger.mjs', 'export default () => ({ logger: {}, read: () => [] });');
  write('class.ts', 'export default class Mine { draw() {} }');
  const result = await check(...words);
  expect(result.stderr).toContain(message);
  expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(result.code).toBe(code);
});
