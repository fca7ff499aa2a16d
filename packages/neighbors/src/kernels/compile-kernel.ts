import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'kernels');

/** 65,536 pages: the 4 GiB that a wasm memory can have. */
const options = [
  ...['--optimizeLevel', '3', '--noAssert', '--runtime', 'stub', '--enable', 'simd,threads'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

/**
 * Compiles `assembly/NAME.ts` to wasm that imports a shared memory. Runs when the package is built or used from source, never in a
 * published package. Kept by the content of sources and compiler, so that each text is compiled once.
 */
export async function compileKernel(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const sources = await readSources();
  const manifest = await readFile(join(root, 'node_modules', 'assemblyscript', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const content = JSON.stringify([name, ...sources, version, options]);
  const key = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const file = join(cache, `${name}-${key}.wasm`);
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
  const { error, stderr } = await asc.main([`${name}.ts`, '--outFile', `${name}.wasm`, ...options], {
    readFile: (path) => sources.get(path) ?? null,
    writeFile: (_path, contents) => {
      bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !bytes) throw new Error(`assembly/${name}.ts does not compile: ${stderr.toString()}`, { cause: error });
  return Uint8Array.from(bytes);
}
