import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InputError, importPeer } from '@rarefy/core';
import type { Plugin } from 'esbuild';

type Exports = Readonly<Record<string, unknown>>;

/**
 * What a file of TypeScript or JavaScript exports. It runs with all rights of this process. JavaScript is imported as Node does;
 * TypeScript is compiled first, without a check of its types, together with the files that it imports by a relative path.
 * @throws InputError when the file is absent, does not compile, or throws as it is imported.
 */
export async function importFile(path: string): Promise<Exports> {
  const file = resolve(path);
  if (!existsSync(file)) throw new InputError(`cannot read ${path}: it does not exist.`);
  if (/\.[cm]?js$/.test(file)) return importModule(file, path);
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-check-'));
  try {
    const compiled = join(folder, 'module.mjs');
    await writeFile(compiled, await compile(file, path));
    return await importModule(compiled, path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function importModule(file: string, path: string): Promise<Exports> {
  try {
    return (await import(pathToFileURL(file).href)) as Exports;
  } catch (cause) {
    throw new InputError(`${path} fails as it is imported: ${messageOf(cause)}`, { cause });
  }
}

async function compile(file: string, path: string): Promise<string> {
  const { build } = await importPeer({ name: 'esbuild', range: '^0.28.2', load: () => import('esbuild') });
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      conditions: [], // as Node resolves: without `module`
      define: { 'import.meta.url': JSON.stringify(pathToFileURL(file).href) },
      logLevel: 'silent',
      plugins: [leavePackagesOut],
    });
    return outputFiles[0]!.text;
  } catch (cause) {
    throw new InputError(`${path} does not compile: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Packages are imported from where they lie for the file, one copy of each; only TypeScript is compiled into the module. Where
 * `@rarefy` packages are not installed for it, those of this command are taken.
 */
const leavePackagesOut: Plugin = {
  name: 'leave-packages-out',
  setup(build) {
    const isOurs = Symbol('resolved by this plugin');
    build.onResolve({ filter: /^[^./#]/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === isOurs || from.kind === 'entry-point' || isAbsolute(path)) return undefined;
      const { importer, resolveDir, kind } = from;
      const found = await build.resolve(path, { importer, resolveDir, kind, pluginData: isOurs });
      if (found.errors.length > 0) {
        const own = ownPackage(path);
        return own === undefined ? { errors: found.errors } : { path: own, external: true };
      }
      if (found.external) return { path, external: true }; // Node's own
      if (/\.[cm]?tsx?$/.test(found.path)) return undefined;
      return { path: pathToFileURL(found.path).href, external: true };
    });
  },
};

function ownPackage(name: string): string | undefined {
  if (!name.startsWith('@rarefy/')) return undefined;
  try {
    return import.meta.resolve(name);
  } catch {
    return undefined;
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
