import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// The wasm modules and the script of worker threads. Running from source, they are compiled on first use by this file. The build
// replaces this file with one that holds the finished bytes and text (tsup.config.ts), so a published package needs no compiler.

/** The wasm modules: files of the folder `assembly`. */
export const wasmNames = ['equal-rows', 'join', 'nn-descent'] as const;

export type WasmName = (typeof wasmNames)[number];

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'wasm');

const compilerOptions = [
  ...['--optimizeLevel', '3', '--noAssert', '--runtime', 'stub', '--enable', 'simd,threads'],
  // 65,536 pages are the 4 GiB that a wasm memory can have.
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

/** Compiles `assembly/NAME.ts`. The result is cached under a digest of all sources, the compiler's version and its options. */
export async function wasmBytes(name: WasmName): Promise<Uint8Array<ArrayBuffer>> {
  const sources = await readSources();
  const manifest = await readFile(join(root, 'node_modules', 'assemblyscript', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const content = JSON.stringify([name, ...sources, version, compilerOptions]);
  const file = join(cache, `${name}-${createHash('sha256').update(content).digest('hex').slice(0, 16)}.wasm`);
  try {
    return Uint8Array.from(await readFile(file));
  } catch {
    const bytes = await compile(name, sources);
    await mkdir(cache, { recursive: true });
    const aside = `${file}.${process.pid}`;
    await writeFile(aside, bytes);
    await rename(aside, file);
    return bytes;
  }
}

/** Texts by file name. */
async function readSources(): Promise<ReadonlyMap<string, string>> {
  const folder = join(root, 'assembly');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

async function compile(name: string, sources: ReadonlyMap<string, string>): Promise<Uint8Array<ArrayBuffer>> {
  const { default: asc } = await import('assemblyscript/asc');
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await asc.main([`${name}.ts`, '--outFile', `${name}.wasm`, ...compilerOptions], {
    readFile: (path) => sources.get(path) ?? null,
    writeFile: (_path, contents) => {
      bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !bytes) throw new Error(`assembly/${name}.ts does not compile: ${stderr.toString()}`, { cause: error });
  return Uint8Array.from(bytes);
}

/** The script of worker threads, with everything it imports. */
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
