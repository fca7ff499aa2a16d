import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embed, embedderFrom } from '@rarefy/core';
import { knnDistance } from '@rarefy/density';
import { openEmbeddings } from '@rarefy/embeddings';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { rarefy } from './support/rarefy.js';

const cwd = mkdtempSync(join(tmpdir(), 'rarefy-embedder-file-'));
afterAll(() => rmSync(cwd, { recursive: true }));
const run = (line: string) => rarefy(line.split(' '), { cwd });

const texts = Array.from({ length: 30 }, (_, index) => `prompt ${'x'.repeat((index * index) % 47)}${index}`);
/** The embedder of the file. */
const embedder = embedderFrom({
  name: 'lengths',
  dimensions: 2,
  embed: async (items: readonly string[]) => items.map((text) => [text.length, text.charCodeAt(text.length - 1)]),
});
const records = texts.map((prompt, index) => ({ id: `row ${index}`, prompt }));

beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  writeFileSync(
    join(cwd, 'mine.ts'),
    `import { embedderFrom } from '@rarefy/core';
    const row = (text: string) => [text.length, text.charCodeAt(text.length - 1)];
    export const lengths = () =>
      embedderFrom({ name: 'lengths', dimensions: 2, embed: async (texts: readonly string[]) => texts.map(row) });`,
  );
  writeFileSync(join(cwd, 'sampler.mjs'), 'export default () => ({ kind: "sampler" });');
  writeFileSync(join(cwd, 'prompts.jsonl'), records.map((record) => JSON.stringify(record)).join('\n'));
  const pairs = texts.map((prompt) => ({ prompt, chosen: 'yes', rejected: 'no', source: 'test' }));
  writeFileSync(join(cwd, 'pairs.jsonl'), pairs.map((pair) => JSON.stringify(pair)).join('\n'));
});

test('rarefy embed --embedder ./mine.ts writes its rows under its fingerprint, and resumes', async () => {
  const { code, stderr } = await run('embed --data prompts.jsonl --embedder ./mine.ts --out e.safetensors');
  expect([code, stderr]).toEqual([0, expect.stringContaining('./mine.ts: function:name=lengths')]);
  await using reader = await openEmbeddings(join(cwd, 'e.safetensors'));
  expect((await reader.read(0, reader.rows)).data).toEqual((await embed(embedder, texts)).data);
  const again = await run('embed --data prompts.jsonl --embedder ./mine.ts --out e.safetensors');
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('the file already has every row')]);
});

test('rarefy density --embedder ./mine.ts measures in its space, with a cache', async () => {
  const line = 'density --prompts prompts.jsonl --embedder ./mine.ts --cache cache --out d.jsonl';
  const expected = await knnDistance().fit(await embed(embedder, texts));
  for (let time = 0; time < 2; time++) {
    expect((await run(line)).code).toBe(0);
    const lines = readFileSync(join(cwd, 'd.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((text) => JSON.parse(text).density)).toEqual(Array.from(expected));
  }
});

test('rarefy view and rarefy train take it too', async () => {
  expect((await run('view --prompts prompts.jsonl --embedder ./mine.ts --projector pca --out view')).code).toBe(0);
  const train = await run(
    'train grpo --pairs pairs.jsonl --embedder ./mine.ts --reward length --max-steps 1 --batch-size 1 --group-size 2 --max-completion-length 4 --out run --backend wasm',
  );
  expect([train.code, train.stderr]).toEqual([0, expect.stringContaining('./mine.ts: function:name=lengths')]);
});

const toRows = 'texts.map((text) => [text.length, text.length === 5 ? NaN : 1])';

test.each([
  [
    `export default async (texts) => ${toRows};`,
    /the function of \.\/own\.mjs failed when it was called without arguments: .* It must return an embedder: if it turns texts into rows, return embedderFrom\(\{ name, dimensions, embed: yourFunction \}\) of @rarefy\/core\.$/,
  ],
  [
    `export const rows = 1; export default (texts = []) => ${toRows};`,
    /returned an array, not an embedder\. It must return an embedder: if it turns texts into rows, return embedderFrom/,
  ],
  [
    "export default () => { throw new Error('no weights'); };",
    /failed when it was called without arguments: no weights$/,
  ],
  ["throw new Error('not today');", /^rarefy: \.\/own\.mjs fails while it is imported: not today$/],
  [
    "export default { kind: 'embedder' };",
    /exports no function, but an object of kind "embedder"; export a function that/,
  ],
  [
    'export class Mine {}',
    /exports the class Mine; export a function that returns an object of it, such as: export default \(\) => new Mine\(\)$/,
  ],
  [
    "export default () => ({ kind: 'embedder', fingerprint: 'a', embedBatch() {} });",
    /returned an embedder without capabilities, \[Symbol\.asyncDispose\]; see: rarefy check \.\/own\.mjs$/,
  ],
])('a file that exports something else: %s', async (code, message) => {
  writeFileSync(join(cwd, 'own.mjs'), code);
  const { code: exit, stderr } = await run('density --prompts prompts.jsonl --embedder ./own.mjs --out x.jsonl');
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(message);
  expect(exit).toBe(1);
});

test('a package that is not installed is named without words of the compiler', async () => {
  writeFileSync(join(cwd, 'own.ts'), "import absent from 'no-such-package'; export default () => absent;");
  const { stderr } = await run('embed --data prompts.jsonl --embedder ./own.ts --out x.safetensors');
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
    /^rarefy: \.\/own\.ts does not compile: \S*own\.ts:1:\d+: cannot find "no-such-package"; install it where the file is, or correct the name$/,
  );
});

test('a row that is not finite names the prompt', async () => {
  writeFileSync(
    join(cwd, 'odd.ts'),
    `import { embedderFrom } from '@rarefy/core';
    const row = (text: string) => [text.length, text === ${JSON.stringify(texts[20])} ? Number.NaN : 1];
    export default () => embedderFrom({ name: 'odd', dimensions: 2, maxBatch: 8, embed: (texts: readonly string[]) => texts.map(row) });`,
  );
  const failed = 'cannot be embedded: odd returned NaN for item 20, in column 1';
  for (const line of [
    'density --prompts prompts.jsonl --embedder ./odd.ts --out x.jsonl',
    'view --prompts prompts.jsonl --embedder ./odd.ts --projector pca --out x',
  ]) {
    expect((await run(line)).stderr).toContain(`rarefy: the prompt "row 20" ${failed}`);
  }
  const train = await run(
    'train grpo --pairs pairs.jsonl --embedder ./odd.ts --reward length --max-steps 1 --out odd --backend wasm',
  );
  expect(train.stderr).toMatch(new RegExp(`rarefy: the prompt "\\S+" ${failed}`));
});

test.each([
  [
    '--embedder ./mine.py',
    2,
    '--embedder must be one of causal-lm, logits, onnx, use, http, hash, or a .ts or .js file',
  ],
  ['--embedder hsah', 2, 'got hsah. Did you mean hash?'],
  ['--embedder ./none.ts', 1, 'cannot read ./none.ts: it does not exist'],
  [
    '--embedder ./sampler.mjs',
    1,
    'returned an object of kind "sampler", not an embedder; see: rarefy check ./sampler.mjs',
  ],
  ['--embedder ./mine.ts --pooling last', 2, '--pooling applies only to causal-lm and onnx; the embedder is ./mine.ts'],
  ['--embeder ./mine.ts', 2, 'unknown option --embeder. Did you mean --embedder?'],
])('rarefy embed %s', async (words, code, message) => {
  const result = await run(`embed --data prompts.jsonl --out x.safetensors ${words}`);
  expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
});
