import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InputError, importPeer } from '@rarefy/core';
import { fileExists } from '@rarefy/io';
import type { BuildFailure, Plugin } from 'esbuild';

export interface ImportedFile {
  readonly exports: Readonly<Record<string, unknown>>;
  /** SHA-256 of the code: of JavaScript, the file alone; of TypeScript, the file and what it imports by a relative path. */
  readonly digest: string;
}

/**
 * Imports a file of TypeScript or JavaScript. It runs with all rights of this process. Node imports JavaScript as it is. TypeScript
 * is compiled first, without type checks, together with the files that it imports by a relative path.
 * @throws InputError if the file does not exist, does not compile, or throws while it is imported.
 */
export async function importFile(path: string): Promise<ImportedFile> {
  const file = resolve(path);
  if (!(await fileExists(file))) throw new InputError(`cannot read ${path}: it does not exist.`);
  if (/\.[cm]?js$/.test(file)) return { exports: await importModule(file, path), digest: sha256(await readFile(file)) };
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-import-'));
  try {
    const compiled = join(folder, 'module.mjs');
    const code = await compile(file, path);
    await writeFile(compiled, code);
    return { exports: await importModule(compiled, path), digest: compiledDigest(code) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The digest that `importFile` would return, without running the file. */
export async function codeDigest(path: string): Promise<string> {
  const file = resolve(path);
  if (!(await fileExists(file))) throw new InputError(`cannot read ${path}: it does not exist.`);
  return /\.[cm]?js$/.test(file) ? sha256(await readFile(file)) : compiledDigest(await compile(file, path));
}

/** The same wherever the project is: of the addresses in compiled code, only the names of files count. */
function compiledDigest(code: string): string {
  return sha256(code.replaceAll(/file:\/\/[^"']*\//g, ''));
}

function sha256(code: string | Uint8Array): string {
  return createHash('sha256').update(code).digest('hex');
}

async function importModule(file: string, path: string): Promise<ImportedFile['exports']> {
  try {
    return (await import(pathToFileURL(file).href)) as ImportedFile['exports'];
  } catch (cause) {
    throw new InputError(`${path} fails while it is imported: ${messageOf(cause)}`, { cause });
  }
}

async function compile(file: string, path: string): Promise<string> {
  const { build } = await importPeer({ name: 'esbuild', range: '^0.28.2', load: () => import('esbuild') });
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      absWorkingDir: dirname(file), // the code names its parts relative to it
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
    const { errors = [] } = cause as Partial<BuildFailure>;
    const problems = errors.map(({ text, location: at }) =>
      at ? `${relative('', resolve(dirname(file), at.file))}:${at.line}:${at.column + 1}: ${text}` : text,
    );
    throw new InputError(`${path} does not compile: ${problems.join('; ') || messageOf(cause)}`, { cause });
  }
}

/**
 * Imports packages from where they are installed for the file, so that there is one copy of each; only TypeScript is bundled. If
 * `@rarefy` packages are not installed for the file, those of this command are used.
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
        const text = `cannot find ${JSON.stringify(path)}; install it where the file is, or correct the name`;
        return own === undefined ? { errors: [{ text }] } : { path: own, external: true };
      }
      if (found.external) return { path, external: true }; // a module of Node
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
