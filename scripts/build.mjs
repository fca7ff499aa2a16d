// Builds packages in one process: JavaScript by esbuild, and types by one run of the TypeScript compiler over all of them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packagesFolder = join(dirname(fileURLToPath(import.meta.url)), '..', 'packages');

/**
 * Builds into the folder `dist` of each package.
 * @param names folder names below `packages`
 * @param withTypes whether to write declarations too, which takes most of the time
 */
export async function buildPackages(names, { withTypes }) {
  for (const name of names) rmSync(join(packagesFolder, name, 'dist'), { recursive: true, force: true });
  const written = await Promise.allSettled(names.map(writeScripts)); // all end before an error ends the process
  const failed = written.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  if (withTypes) await writeTypes(names);
}

/** The source files of a package that its `exports` name. */
function exportsOf(name) {
  const { exports } = JSON.parse(readFileSync(join(packagesFolder, name, 'package.json'), 'utf8'));
  const sources = Object.values(exports).flatMap((target) => target['@rarefy/source'] ?? []);
  return sources.map((source) => join(packagesFolder, name, source));
}

async function writeScripts(name) {
  const { build } = await import('esbuild');
  const exported = exportsOf(name);
  const command = join(packagesFolder, name, 'src', 'main.ts');
  await build({
    entryPoints: exported.length > 0 ? exported : [command],
    outbase: join(packagesFolder, name, 'src'),
    outdir: join(packagesFolder, name, 'dist'),
    bundle: true,
    packages: 'external',
    splitting: true,
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    plugins: [{ name: 'assets', setup: (build) => build.onLoad({ filter: /-assets\.ts$/ }, builtAssets) }],
  });
}

/**
 * What takes the place of a file `*-assets.ts`. Such a file makes texts by tools that a published package does without. Each of
 * its functions is called here, without arguments, and its result, which JSON can hold, is written down.
 */
async function builtAssets({ path }) {
  const { transform } = await import('esbuild');
  const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'ts' });
  // Beside the source, so that its imports and its own URL are those of the source.
  const script = join(dirname(path), `.assets-${process.pid}.mjs`);
  writeFileSync(script, code);
  try {
    const made = await import(`${pathToFileURL(script)}`);
    const functions = Object.keys(made).filter((key) => typeof made[key] === 'function');
    const lines = functions.map(async (key) => {
      const result = made[key]();
      const signature = result instanceof Promise ? 'async ()' : '()';
      return `const ${key}Result = ${JSON.stringify(await result)};\nexport const ${key} = ${signature} => ${key}Result;\n`;
    });
    return { contents: (await Promise.all(lines)).join(''), loader: 'js' };
  } finally {
    rmSync(script);
  }
}

/** Writes the declarations that the exports of the packages lead to. Other files of a package need none. */
async function writeTypes(names) {
  const { default: ts } = await import('typescript');
  const { config } = ts.readConfigFile(join(packagesFolder, '..', 'tsconfig.base.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, packagesFolder);
  const entries = names.flatMap(exportsOf);
  const program = ts.createProgram(entries, {
    ...options,
    ...{ noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true },
  });
  const texts = new Map();
  const { diagnostics } = program.emit(undefined, (path, text) => texts.set(resolve(path), text), undefined, true);
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, formatHost(ts)));

  const declarationOf = (source) => resolve(source.replace(/\.ts$/, '.d.ts'));
  const written = new Set();
  const pending = entries.map(declarationOf);
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (written.has(path)) continue;
    written.add(path);
    const text = texts.get(path);
    const target = path.replace(`${sep}src${sep}`, `${sep}dist${sep}`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    for (const { fileName } of ts.preProcessFile(text).importedFiles)
      if (fileName.startsWith('.')) pending.push(resolve(dirname(path), fileName.replace(/\.js$/, '.d.ts')));
  }
}

const formatHost = (ts) => ({
  getCanonicalFileName: (path) => path,
  getCurrentDirectory: () => packagesFolder,
  getNewLine: () => ts.sys.newLine,
});
