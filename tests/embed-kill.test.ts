import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { counterRandom, InputError } from '@rarefy/core';
import { embedToFile, readEmbeddings, verifyEmbeddings } from '@rarefy/embeddings';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { digestEmbedder } from './support/digest-embedder.js';
import { casesOf } from './support/exhaustive.js';

const script = fileURLToPath(new URL('./support/embed-child.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rarefy-embed-kill-'));
const path = (name: string) => join(folder, name);
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const rows = 20_000;
const shardRows = 512;

/** Runs the job and kills it `delay` ms after it starts; returns whether it was killed, and its time from the start. */
function run(out: string, log: string, delay?: number): Promise<{ readonly killed: boolean; readonly ms: number }> {
  const child = spawn(process.execPath, [script, out, log], { stdio: ['ignore', 'pipe', 'inherit'] });
  let begun = 0;
  child.stdout.once('data', () => {
    begun = performance.now();
    if (delay !== undefined) setTimeout(() => child.kill('SIGKILL'), delay);
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`the job ended with ${code ?? signal}`));
      else resolve({ killed: signal === 'SIGKILL', ms: performance.now() - begun });
    });
  });
}

/** Number of embedded items, from the logs of the jobs. */
const computed = (log: string) =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .reduce((sum, line) => sum + Number(line), 0)
    : 0;

test('a job of 20,000 rows that is killed at random moments gives the same bytes and loses at most one shard per kill', {
  timeout: 1_800_000,
}, async () => {
  const whole = path('whole/e.safetensors');
  const { ms } = await run(whole, path('whole.log'));
  expect(computed(path('whole.log'))).toBe(rows);
  expect((await verifyEmbeddings(whole)).rows).toBe(rows);
  const expected = [sha256(whole), sha256(`${whole}.manifest.json`)];

  const random = counterRandom(50);
  let kills = 0;
  for (let job = 0, draw = 0; kills < casesOf(2, 50); job++) {
    const out = path('killed/e.safetensors');
    const log = path(`job-${job}.log`);
    let killsOfJob = 0;
    for (;;) {
      const before = computed(log);
      // Increasing delays, so that a job also finishes if the machine has become slower.
      const { killed } = await run(out, log, random.uniform(draw++) * ms * (1 + killsOfJob / 8));
      if (!killed) break;
      killsOfJob++;
      expect(computed(log)).toBeGreaterThanOrEqual(before);
    }
    kills += killsOfJob;
    expect(computed(log) - rows, `items computed again after ${killsOfJob} kills`).toBeLessThanOrEqual(
      shardRows * killsOfJob,
    );
    expect([sha256(out), sha256(`${out}.manifest.json`)]).toEqual(expected);
    expect(existsSync(`${out}.parts`)).toBe(false);
    for (const file of [out, `${out}.manifest.json`]) rmSync(file);
  }
});

const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mountWorks();
const reason = canMount ? '' : ' (skipped: only root can make a small disk)';

describe.skipIf(!canMount)(`a full disk${reason}`, () => {
  const disk = path('disk');
  const mount = (...options: string[]) => spawnSync('mount', [...options, disk], { stdio: 'ignore' }).status === 0;
  beforeAll(() => {
    spawnSync('mkdir', ['-p', disk]);
  });
  afterAll(() => void spawnSync('umount', [disk]));

  test('is reported, no unfinished file is visible, and the job continues when there is space', async () => {
    const texts = Array.from({ length: 6000 }, (_, row) => ({ id: `row-${row}`, item: `text ${row}` }));
    const whole = path('roomy.safetensors');
    await embedToFile(digestEmbedder(), texts, { out: whole, shardRows: 100 });
    let refused = 0;
    for (const kilobytes of [200, 64, 360].slice(0, casesOf(1, 3))) {
      expect(mount('-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'none')).toBe(true);
      const out = join(disk, 'e.safetensors');
      const first = digestEmbedder();
      const failure = embedToFile(first, texts, { out, shardRows: 100 });
      await expect(failure).rejects.toThrow(InputError);
      await expect(failure).rejects.toThrow(/the disk is full\. Free some space/);
      refused++;
      expect(existsSync(out)).toBe(false);
      expect(mount('-o', 'remount,size=8m')).toBe(true);
      const second = digestEmbedder();
      await embedToFile(second, texts, { out, shardRows: 100 });
      expect(first.items() + second.items()).toBeLessThanOrEqual(6000 + 100);
      expect(sha256(out)).toBe(sha256(whole));
      expect((await readEmbeddings(out)).ids).toHaveLength(6000);
      spawnSync('umount', [disk]);
    }
    expect(refused).toBe(casesOf(1, 3));
  });
});

function mountWorks(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'rarefy-mount-'));
  const works = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', place], { stdio: 'ignore' }).status === 0;
  if (works) spawnSync('umount', [place]);
  rmSync(place, { recursive: true });
  return works;
}
