import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Running from source, this file compiles the wasm modules on first use. The build replaces it with one that holds the finished
// modules (scripts/build.mjs), so a published package needs no compiler.

/** A wasm module: a file of the folder `assembly`. */
export type WasmName = 'equal-rows' | 'join' | 'nn-descent';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'wasm');

const compilerOptions = [
  ...['--optimizeLevel', '3', '--noAssert', '--runtime', 'stub', '--enable', 'simd,threads'],
  // 65,536 pages are the 4 GiB that a wasm memory can have.
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

/** The compiled modules in base64, by name. */
export async function wasmModules(): Promise<Readonly<Record<WasmName, string>>> {
  const made = { join: await compiled('join'), 'nn-descent': await compiled('nn-descent') };
  return { ...made, 'equal-rows': await compiled('equal-rows') };
}

/** Caches the module under a digest of all sources, the compiler's version and its options. */
async function compiled(name: WasmName): Promise<string> {
  const sources = await readSources();
  const manifest = await readFile(join(root, 'node_modules', 'assemblyscript', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const content = JSON.stringify([name, ...sources, version, compilerOptions]);
  const file = join(cache, `${name}-${createHash('sha256').update(content).digest('hex').slice(0, 16)}.wasm`);
  try {
    return await readFile(file, 'base64');
  } catch {
    const bytes = await compile(name, sources);
    await mkdir(cache, { recursive: true });
    const aside = `${file}.${process.pid}`;
    await writeFile(aside, bytes);
    await rename(aside, file);
    return Buffer.from(bytes).toString('base64');
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

async function compile(name: string, sources: ReadonlyMap<string, string>): Promise<Uint8Array> {
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
  return bytes;
}
