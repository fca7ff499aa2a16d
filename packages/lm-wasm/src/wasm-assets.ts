import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Running from source, this file compiles the wasm modules on first use. The build replaces it with one that holds the finished
// modules (scripts/build.mjs), so a published package needs no compiler.

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'wasm');

const common = [
  ...['--optimizeLevel', '3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'],
  ...['--importMemory', '--initialMemory', '1'],
];
/** Of `assembly/kernels.ts` for a memory of one thread, and for a shared one. */
const compilerOptions = {
  plain: common,
  // A shared memory needs a limit: 65,536 pages are the 4 GiB that a wasm memory can have.
  shared: [...common, '--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536'],
};

type WasmName = keyof typeof compilerOptions;

/** The compiled modules in base64, by name. */
export async function wasmModules(): Promise<Readonly<Record<WasmName, string>>> {
  return { plain: await compiled('plain'), shared: await compiled('shared') };
}

/** Caches the module under a digest of all sources, the compiler's version and its options. */
async function compiled(name: WasmName): Promise<string> {
  const sources = await readSources();
  const manifest = await readFile(join(root, 'node_modules', 'assemblyscript', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const content = JSON.stringify([...sources, version, compilerOptions[name]]);
  const file = join(cache, `${name}-${createHash('sha256').update(content).digest('hex').slice(0, 16)}.wasm`);
  try {
    return await readFile(file, 'base64');
  } catch {
    const bytes = await compile(sources, compilerOptions[name]);
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

async function compile(sources: ReadonlyMap<string, string>, options: readonly string[]): Promise<Uint8Array> {
  const { default: asc } = await import('assemblyscript/asc');
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await asc.main(['kernels.ts', '--outFile', 'kernels.wasm', ...options], {
    readFile: (path) => sources.get(path) ?? null,
    writeFile: (_path, contents) => {
      bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !bytes) throw new Error(`assembly/kernels.ts does not compile: ${stderr.toString()}`, { cause: error });
  return bytes;
}
