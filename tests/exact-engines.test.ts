import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exactNeighbors } from '@rarefy/neighbors/exact';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { launchBrowser, noBrowser } from './support/chromium.js';
import { matrixOf, normal, uniforms } from './support/exact-rows.js';

const uniform = uniforms(1);
const points = matrixOf(900, 40, () => Math.fround(normal(uniform)));

/** The text of a program that computes ids and distances with `exactNeighbors`. */
const program = (options: string) => `
  const [rows, cols] = [${points.rows}, ${points.cols}];
  const data = Float32Array.from(${JSON.stringify(Array.from(points.data))});
  const { ids, distances, engine } = await exactNeighbors({ data, rows, cols }, ${options});
  const answer = JSON.stringify({ engine, ids: Array.from(ids), distances: Array.from(distances) });
`;

const expected = async () => {
  const { ids, distances } = await exactNeighbors(points, { k: 7, engine: 'typescript' });
  return { engine: 'wasm', ids: Array.from(ids), distances: Array.from(distances) };
};

test('the built package returns the same bytes in plain Node, with its wasm modules and worker script inside', async () => {
  const code = `import { exactNeighbors } from '@rarefy/neighbors/exact';
    ${program("{ k: 7, engine: 'wasm', workers: 2 }")} process.stdout.write(answer);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    input: code,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toEqual(await expected());
});

describe.skipIf(noBrowser !== '')(`the built package in Chromium${noBrowser}`, () => {
  /** Runs the search in a page that is served with these headers. */
  async function inPage(headers: Record<string, string>): Promise<unknown> {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { exactNeighbors } from '@rarefy/neighbors/exact';
          globalThis.search = async () => { ${program("{ k: 7, engine: 'wasm', workers: 2 }")} return answer; };`,
        resolveDir: fileURLToPath(new URL('..', import.meta.url)),
      },
      bundle: true,
      write: false,
      format: 'iife',
      external: ['@rarefy/neighbors-native'],
      logLevel: 'error',
    });
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(0);
      await page.route('**/*', (route) =>
        route.fulfill({ body: '<!doctype html>', contentType: 'text/html', headers }),
      );
      await page.goto('http://localhost/');
      await page.addScriptTag({ content: outputFiles[0]!.text });
      return {
        isIsolated: await page.evaluate('crossOriginIsolated'),
        ...JSON.parse((await page.evaluate('search()')) as string),
      };
    } finally {
      await browser.close();
    }
  }

  test('on the thread of the page, and on web workers if the page may share memory', async () => {
    const answer = await expected();
    expect(await inPage({})).toEqual({ isIsolated: false, ...answer });
    const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    expect(await inPage(isolation)).toEqual({ isIsolated: true, ...answer });
  });
});
