import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = join(root, 'packages');

/** What each package may import of the others. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  testing: ['core'],
  io: ['core'],
  data: ['core', 'io'],
  embeddings: ['core', 'io', 'data'],
  lm: ['core', 'io'],
  embedders: ['core', 'io', 'lm'],
  'neighbors-native': ['core'],
  neighbors: ['core', 'neighbors-native'],
  density: ['core', 'neighbors'],
  samplers: ['core', 'density'],
  diversity: ['core'],
  grpo: ['core', 'io', 'data', 'lm', 'samplers', 'diversity'],
  viz: ['core', 'neighbors', 'density'],
  cli: [
    'core',
    'testing',
    'io',
    'data',
    'embeddings',
    'lm',
    'embedders',
    'neighbors',
    'neighbors-native',
    'density',
    'samplers',
    'diversity',
    'grpo',
    'viz',
  ],
};

/** Libraries that compute natively: nothing may load one when it is imported. */
const native = /^(@tensorflow\/tfjs-node(-gpu)?|onnxruntime-node|faiss-node|usearch)$/;

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'dist') return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : [path];
  });
}

const sources = Object.keys(mayImport).flatMap((name) =>
  files(join(packages, name, 'src'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.endsWith('.d.ts'))
    .map((path) => ({ name, path, text: readFileSync(path, 'utf8') })),
);

/** Modules of `import … from`, `export … from` and `import()`; `isLoaded` is false for types and for imports made later. */
function imports(text: string): { module: string; isLoaded: boolean }[] {
  const fixed = [...text.matchAll(/^(?:import|export)(?<type>\s+type)?\s(?:[^'";]*?\sfrom\s+)?'(?<module>[^']+)'/gm)];
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const later = [...code.matchAll(/\bimport\(\s*'(?<module>[^']+)'\s*\)/g)];
  return [
    ...fixed.map(({ groups }) => ({ module: groups!.module!, isLoaded: groups!.type === undefined })),
    ...later.map(({ groups }) => ({ module: groups!.module!, isLoaded: false })),
  ];
}

test('every folder of packages is in the table', () => {
  expect(readdirSync(packages).sort()).toEqual(Object.keys(mayImport).sort());
});

test.each(Object.keys(mayImport))('%s imports only what its place in the design allows', (name) => {
  for (const { path, text } of sources.filter((source) => source.name === name)) {
    for (const { module } of imports(text)) {
      const other = /^@rarefy\/([^/]+)/.exec(module)?.[1] ?? (module === 'rarefy' ? 'cli' : undefined);
      if (other !== undefined) expect(mayImport[name], `${relative(root, path)} imports ${module}`).toContain(other);
      if (module.startsWith('.')) {
        const target = resolve(dirname(path), module);
        expect(
          target.startsWith(join(packages, name)),
          `${relative(root, path)} reaches into another package: ${module}`,
        ).toBe(true);
      }
    }
  }
});

test('what a package imports is declared in its package.json', () => {
  for (const { name, path, text } of sources) {
    const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'));
    // The page's browser code is bundled and the wasm kernels are compiled when the package is built, with what that needs.
    const bundled = name === 'viz' || name === 'neighbors' ? manifest.devDependencies : {};
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...bundled };
    for (const { module } of imports(text)) {
      if (module.startsWith('.') || module.startsWith('node:')) continue;
      const library = module
        .split('/')
        .slice(0, module.startsWith('@') ? 2 : 1)
        .join('/');
      expect(Object.keys(declared), `${relative(root, path)} imports ${module}`).toContain(library);
    }
  }
});

test('libraries take tensors from tfjs-core alone, and importing a package loads nothing native', () => {
  for (const { name, path, text } of sources) {
    for (const { module } of imports(text).filter(({ isLoaded }) => isLoaded)) {
      expect(native.test(module), `${relative(root, path)} loads ${module}`).toBe(false);
      if (name !== 'cli') expect(module, relative(root, path)).not.toMatch(/^@tensorflow\/(?!tfjs-core$)/);
    }
  }
});

test('files are kebab-case and have no default export, and only a package root has an index.ts', () => {
  for (const { name, path, text } of sources) {
    const inside = relative(join(packages, name, 'src'), path);
    expect(inside).toMatch(/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/);
    expect(text, inside).not.toMatch(/^export default/m);
    if (basename(inside) === 'index.ts') expect(inside).toBe('index.ts');
  }
});

test('every subpath of a package has its source and is built', () => {
  for (const name of Object.keys(mayImport)) {
    const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'));
    for (const [subpath, target] of Object.entries<{ '@rarefy/source': string } | string>(manifest.exports)) {
      if (typeof target === 'string') continue;
      const source = join(packages, name, target['@rarefy/source']);
      expect(statSync(source).isFile(), `${name} ${subpath}`).toBe(true);
      const entry = target['@rarefy/source'].replace('./src/', '').replace('.ts', '');
      expect(readFileSync(join(packages, name, 'tsup.config.ts'), 'utf8')).toContain(`'${entry}'`);
    }
  }
});
