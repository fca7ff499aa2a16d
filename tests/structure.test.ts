import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { circles, folderCircles, type Graph } from './support/circles.js';
import { type Import, importsOf, onlyReExports, packageOf, stringsOf } from './support/imports.js';
import { longCommentLines } from './support/long-comments.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = join(root, 'packages');

/** The packages that each package may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  testing: ['core'],
  io: ['core'],
  data: ['core', 'io'],
  embeddings: ['core', 'io', 'data'],
  tokenizers: ['core', 'io'],
  'lm-wasm': ['core'],
  lm: ['core', 'io', 'tokenizers', 'lm-wasm'],
  training: ['core', 'io', 'data', 'tokenizers', 'lm', 'lm-wasm'],
  embedders: ['core', 'io', 'tokenizers', 'lm'],
  'neighbors-wasm': ['core'],
  'neighbors-native': ['core'],
  neighbors: ['core', 'neighbors-wasm', 'neighbors-native'],
  density: ['core', 'neighbors'],
  samplers: ['core', 'density'],
  diversity: ['core'],
  grpo: ['core', 'io', 'data', 'tokenizers', 'lm', 'training', 'samplers', 'diversity'],
  experiment: ['core', 'io', 'data', 'density', 'diversity', 'tokenizers', 'lm', 'training', 'samplers', 'grpo'],
  viz: ['core', 'neighbors', 'density'],
};
const names = [...Object.keys(mayImport), 'cli'];

/** Libraries with native code: no package loads one when it is imported. */
const native = /^(@tensorflow\/tfjs-node(-gpu)?|onnxruntime-node|faiss-node|usearch)$/;

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Source {
  /** Relative to the package's `src`, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Files of `src` that it imports, type imports and `import()` included; relative to `src`. */
  readonly files: ReadonlySet<string>;
}

interface Package {
  readonly name: string;
  readonly manifest: Manifest;
  readonly sources: ReadonlyMap<string, Source>;
}

const workspace = names.filter((name) => existsSync(join(packages, name))).map(readPackage);
const named = workspace.map((entry) => [entry.name, entry] as const);

function readPackage(name: string): Package {
  const src = join(packages, name, 'src');
  const paths = filesIn(src).filter((path) => /(?<!\.test|\.d)\.ts$/.test(path));
  const sources = paths.map((path): [string, Source] => {
    const text = readFileSync(path, 'utf8');
    const imports = importsOf(text);
    const files = imports
      .filter(({ module }) => module.startsWith('.'))
      .map(({ module }) => posix(relative(src, resolve(dirname(path), module))).replace(/\.js$/, '.ts'));
    const inside = posix(relative(src, path));
    return [inside, { path: inside, text, imports, files: new Set(files) }];
  });
  return { name, manifest: readManifest(join(packages, name)), sources: new Map(sources) };
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (['node_modules', 'dist', 'target', '.git', 'out', '.vitest'].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

function posix(path: string): string {
  return path.split(sep).join('/');
}

/** The build replaces the content of each `assets.ts` or `NAME-assets.ts` by compiled code. */
const isReplaced = (path: string) => /(^|[/-])assets\.ts$/.test(path);

/**
 * The files that a package ships: those that its entry points reach. Files that only an `assets.ts` imports run at build time, or
 * in a bundle that the build makes.
 */
function shippedSources({ manifest, sources }: Package): Source[] {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const source = sources.get(path);
    if (source === undefined || reached.has(path)) return;
    reached.add(path);
    if (!isReplaced(path)) for (const target of source.files) visit(target);
  };
  for (const target of Object.values(manifest.exports)) {
    if (typeof target !== 'string') visit(target['@rarefy/source']!.replace('./src/', ''));
  }
  visit('main.ts'); // of the command
  return [...reached].map((path) => sources.get(path)!).filter(({ path }) => !isReplaced(path));
}

/** File → files of the same package that it imports, `import()` and type imports included. */
function fileGraph({ sources }: Package): Graph {
  return new Map([...sources].map(([path, { files }]) => [path, files]));
}

const arrows = (found: string[][]) => found.map((circle) => circle.join(' → '));

test('the table names every folder of packages', () => {
  expect(readdirSync(packages).sort()).toEqual([...names].sort());
});

describe.each(named)('%s', (name, entry) => {
  test('imports only the packages that the table allows, and no file of another package', () => {
    const allowed = mayImport[name] ?? names;
    const wrong = [...entry.sources.values()].flatMap(({ path, imports, files }) => [
      ...imports.flatMap(({ module }) => {
        const other = /^@rarefy\/([^/]+)/.exec(module)?.[1] ?? (module === 'rarefy' ? 'cli' : undefined);
        return other === undefined || allowed.includes(other) ? [] : [`${path} imports ${module}`];
      }),
      ...[...files].filter((target) => target.startsWith('..')).map((target) => `${path} imports ${target}`),
    ]);
    expect(wrong).toEqual([]);
  });

  test('has at most 5,000 lines of source', () => {
    const lines = [...entry.sources.values()].reduce((sum, { text }) => sum + text.split('\n').length - 1, 0);
    expect(lines).toBeLessThanOrEqual(5000);
  });

  test('declares what it imports', () => {
    const { dependencies, peerDependencies, devDependencies } = entry.manifest;
    const installed = Object.keys({ ...dependencies, ...peerDependencies });
    const atBuild = [...installed, ...Object.keys(devDependencies ?? {})];
    const shipped = new Set(shippedSources(entry));
    const wrong = [...entry.sources.values()].flatMap((source) =>
      source.imports.flatMap(({ module }) => {
        if (module.startsWith('.') || module.startsWith('node:')) return [];
        const declared = shipped.has(source) ? installed : atBuild;
        return declared.includes(packageOf(module)) ? [] : [`${source.path} imports ${module}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('uses every dependency that it declares', () => {
    const { dependencies, peerDependencies } = entry.manifest;
    const declared = Object.keys({ ...dependencies, ...peerDependencies });
    // An optional library may be resolved by its name, and the command installs the peers that our packages ask for.
    const used = new Set(shippedSources(entry).flatMap(({ text }) => stringsOf(text).map(packageOf)));
    const peers = new Set(
      declared.filter((name) => name.startsWith('@rarefy/')).flatMap((name) => peersOf(entry.name, name)),
    );
    expect(declared.filter((library) => !used.has(library) && !peers.has(library))).toEqual([]);
  });

  test('has no circle of files', () => {
    expect(arrows(circles(fileGraph(entry)))).toEqual([]);
  });

  test('has no circle of folders', () => {
    expect(arrows(folderCircles(fileGraph(entry)))).toEqual([]);
  });

  test('takes tensors from tfjs-core, and loads nothing native when it is imported', () => {
    const loaded = [...entry.sources.values()].flatMap(({ path, imports }) =>
      imports.filter(({ kind }) => kind === 'static').map(({ module }) => ({ path, module })),
    );
    const wrong = loaded.filter(
      ({ module }) => native.test(module) || (name !== 'cli' && /^@tensorflow\/(?!tfjs-core$)/.test(module)),
    );
    expect(wrong.map(({ path, module }) => `${path} loads ${module}`)).toEqual([]);
  });

  test('has kebab-case files, no default exports, one index.ts, and no file that only re-exports', () => {
    const wrong = [...entry.sources.values()].flatMap(({ path, text }) => [
      ...(/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path) ? [] : [`${path} is not kebab-case`]),
      ...(/^export default/m.test(text) ? [`${path} has a default export`] : []),
      ...(path !== 'index.ts' && basename(path) === 'index.ts' ? [`${path} is not at the package root`] : []),
      ...(path !== 'index.ts' && onlyReExports(text) ? [`${path} only re-exports`] : []),
    ]);
    expect(wrong).toEqual([]);
  });

  // The build takes its entries from `exports`: see scripts/build.mjs.
  test('has a source file for every subpath of its exports, and names the built file after it', () => {
    for (const [subpath, target] of Object.entries(entry.manifest.exports)) {
      if (typeof target === 'string') continue;
      const source = target['@rarefy/source']!;
      expect(statSync(join(packages, name, source)).isFile(), subpath).toBe(true);
      const built = source.replace('./src/', './dist/').replace(/\.ts$/, '');
      expect(target, subpath).toMatchObject({ types: `${built}.d.ts`, default: `${built}.js` });
    }
  });
});

function peersOf(packageName: string, dependency: string): string[] {
  const folder = join(packages, packageName, 'node_modules', dependency);
  return existsSync(folder) ? Object.keys(readManifest(folder).peerDependencies ?? {}) : [];
}

test('comment lines have at most 132 characters', () => {
  const checked = filesIn(root).filter((path) => {
    const inside = posix(relative(root, path));
    return /\.(ts|mts|mjs|js|rs|sh|py)$/.test(inside) || (inside.startsWith('.ci/') && extname(inside) === '');
  });
  expect(checked.length).toBeGreaterThan(500);
  const wrong = checked.flatMap((path) =>
    longCommentLines(path, readFileSync(path, 'utf8')).map((line) => `${posix(relative(root, path))}:${line}`),
  );
  expect(wrong).toEqual([]);
});
