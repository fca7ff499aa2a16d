import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

const packages = readdirSync(join(root, 'packages')).map((folder) => {
  const path = join(root, 'packages', folder);
  return { path, manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest };
});
const subpaths = packages.flatMap(({ path, manifest }) =>
  Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === 'string' ? [] : [{ path, name: join(manifest.name, subpath), target }],
  ),
);

/** Imports a module as built, where loading a native addon is an error, and prints the names of what it exports. */
const importer = `
  process.dlopen = (_, file) => { throw new Error('a native addon is loaded: ' + file); };
  console.log(Object.keys(await import(process.argv[1])).join(' '));
`;

describe.each(subpaths)('$name', ({ path, name, target }) => {
  test('has its built files and types', () => {
    for (const file of [target.types, target.default]) expect(existsSync(join(path, file)), file).toBe(true);
  });

  // A test runner's part can only be imported by that runner.
  test.skipIf(name.endsWith('/vitest'))('is imported by plain Node, prints nothing and loads nothing native', () => {
    const result = spawnSync(process.execPath, ['--input-type=module', '-e', importer, name], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout.trim().split(' ').length).toBeGreaterThan(0);
    expect(result.stdout.trim()).toMatch(/^[A-Za-z0-9 ]+$/);
  });
});

test.each(packages)('$manifest.name packs what is built and its source, and no tests', ({ path }) => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: path,
    encoding: 'utf8',
  });
  const files = (JSON.parse(packed) as [{ files: { path: string }[] }])[0].files.map((file) => file.path);
  expect(files.filter((file) => /\.test\.|\.tmp|tsconfig|\/target\//.test(file))).toEqual([]);
  expect(files.some((file) => file.startsWith('dist/'))).toBe(true);
  for (const file of files)
    expect(file).toMatch(/^(dist|src|bin|examples|native)\/|^(package\.json|README\.md|LICENSE)$/);
});
