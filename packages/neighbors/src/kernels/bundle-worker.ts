import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type WorkerName, workerFiles } from './kernel-names.js';

/** The script of a worker with all it imports. Runs when the package is built or used from source, never in a published package. */
export async function bundleWorker(name: WorkerName): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../${workerFiles[name]}`, import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
    external: ['node:*'],
    conditions: ['@rarefy/source'],
  });
  return outputFiles[0]!.text;
}
