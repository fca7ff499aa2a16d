import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { writeEmbeddings } from '@rarefy/embeddings';
import { crowdedRows } from './crowded-rows.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * Writes an embedding file in blocks and runs `rarefy sample` on it; returns the resources that the process used, and the ids.
 * @returns {Promise<{ fileBytes: number, peakBytes: number, cpuSeconds: number, seconds: number, ids: string[], output: string }>}
 */
export async function sampleFile({ rows, cols = 384, budget = 10_000, k = 20, heapMegabytes = 2048 }) {
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-sample-'));
  try {
    const [file, out, peak] = ['embeddings.safetensors', 'ids.txt', 'peak.json'].map((name) => join(folder, name));
    const ids = Array.from({ length: rows }, (_, row) => `prompt-${row}`);
    await writeEmbeddings(file, { ids, embeddings: crowdedRows(rows, cols, 1) });
    const flags = [`--max-old-space-size=${heapMegabytes}`, '--import', pathToFileURL(here('report-peak.mjs')).href];
    const command = ['sample', '--embeddings', file, '--budget', `${budget}`, '--k', `${k}`, '--out', out];
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [...flags, here('../../../packages/cli/bin/rarefy.js'), ...command],
      { env: { ...process.env, PEAK_FILE: peak }, maxBuffer: 2 ** 26 },
    );
    const used = JSON.parse(await readFile(peak, 'utf8'));
    const picked = (await readFile(out, 'utf8')).split('\n').filter(Boolean);
    return { fileBytes: 4 * rows * cols, ...used, ids: picked, output: stdout + stderr };
  } finally {
    await rm(folder, { recursive: true });
  }
}
