import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * The script of worker threads, with everything it imports. Running from source, it is bundled here. The build replaces this file
 * with one that holds the finished text (scripts/build.mjs), so a published package needs no bundler.
 */
export async function workerScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
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
