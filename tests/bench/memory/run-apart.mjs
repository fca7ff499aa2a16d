import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs a script of this folder in a process with a limited JavaScript heap; returns the JSON that it prints. */
export async function runApart(script, options, { heapMegabytes = 512 } = {}) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const flags = [`--max-old-space-size=${heapMegabytes}`];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, path, JSON.stringify(options)], {
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}
