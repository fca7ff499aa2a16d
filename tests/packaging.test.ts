import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

type Ranges = Readonly<Record<string, string>>;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: Ranges;
  readonly peerDependencies?: Ranges;
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

/** Imports a built module and prints the names of its exports. Loading a native addon throws. */
const importer = `
  process.dlopen = (_, file) => { throw new Error('a native addon is loaded: ' + file); };
  console.log(Object.keys(await import(process.argv[1])).join(' '));
`;

describe.each(subpaths)('$name', ({ path, name, target }) => {
  test('has its built files and types', () => {
    for (const file of [target.types, target.default]) expect(existsSync(join(path, file)), file).toBe(true);
  });

  // The vitest subpath can be imported only by vitest.
  test.skipIf(name.endsWith('/vitest'))(
    'can be imported by plain Node, prints nothing and loads nothing native',
    () => {
      const result = spawnSync(process.execPath, ['--input-type=module', '-e', importer, name], {
        cwd: root,
        encoding: 'utf8',
      });
      expect(result).toMatchObject({ status: 0, stderr: '' });
      expect(result.stdout.trim().split(' ').length).toBeGreaterThan(0);
      expect(result.stdout.trim()).toMatch(/^[A-Za-z0-9 ]+$/);
    },
  );
});

describe('the table of libraries in the guide to the installation', () => {
  const guide = readFileSync(join(root, 'docs', 'guide', 'install.md'), 'utf8');
  const section = guide.split('## ').find((part) => part.startsWith('Libraries of each package')) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const namesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  const table = rows.map((row) => {
    const [, entries, needs, uses] = row.split('|');
    const [first, ...others] = namesIn(entries);
    const names = [first!, ...others.map((name) => (name.startsWith('/') ? first + name : name))];
    return { names, libraries: [...namesIn(needs), ...namesIn(uses)] };
  });

  test('has every entry once', () => {
    expect(table.flatMap(({ names }) => names).sort()).toEqual(
      subpaths
        .map(({ name }) => name)
        .concat('rarefy')
        .sort(),
    );
  });

  test.each(packages)('has every peer of $manifest.name', ({ manifest }) => {
    const own = table.filter(({ names }) => names.some((name) => `${name}/`.startsWith(`${manifest.name}/`)));
    const peers = Object.keys(manifest.peerDependencies ?? {});
    expect(own.flatMap(({ libraries }) => libraries)).toEqual(expect.arrayContaining(peers));
  });
});

test.each(packages)('$manifest.name is checked before it is packed', ({ manifest }) => {
  expect(manifest.scripts.prepack).toMatch(/^node ..\/..\/scripts\/check-pack\.mjs\b/);
});

test.each(packages)('$manifest.name packs its build and its source, and no tests', ({ path }) => {
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

describe('npm pack refuses', () => {
  const pack = (cwd: string) => spawnSync('npm', ['pack', '--loglevel=error'], { cwd, encoding: 'utf8' });
  const tarballs = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.tgz'));

  test('a package that is not built', () => {
    const tree = mkdtempSync(join(tmpdir(), 'rarefy-unbuilt-'));
    for (const name of ['scripts', 'tsconfig.base.json', 'pnpm-lock.yaml'])
      cpSync(join(root, name), join(tree, name), { recursive: true });
    const path = join(tree, 'packages', 'core');
    mkdirSync(path, { recursive: true });
    cpSync(join(root, 'packages', 'core', 'package.json'), join(path, 'package.json'));
    const { status, stderr } = pack(path);
    expect(status).not.toBe(0);
    expect(stderr).toContain(
      'rarefy: cannot pack: packages/core is not built, or has changed since its build. Run in the root folder: npm run pack:all',
    );
    expect(tarballs(path)).toEqual([]);
    rmSync(tree, { recursive: true });
  });

  test('a package whose dependencies would not be found', () => {
    const { path } = packages.find(({ manifest }) => manifest.name === '@rarefy/samplers')!;
    const { status, stderr } = pack(path);
    expect(status).not.toBe(0);
    expect(stderr).toContain('rarefy: cannot pack: npm pack leaves "workspace:" and "catalog:" in the package.json');
    expect(tarballs(path)).toEqual([]);
  });
});

/** Whether a range accepts a version, judged by the major version. */
const accepts = (range: string, version: string) =>
  range
    .split('||')
    .some((part) => /^\s*(\*|>|workspace:)/.test(part) || /\d+/.exec(part)?.[0] === /^\d+/.exec(version)?.[0]);

// npm refuses to install a package if one of its dependencies requires another version of another one, optional ones included.
test.each(packages)(
  '$manifest.name has no dependencies that require different versions of a package',
  ({ path, manifest }) => {
    const installed = (name: string): Manifest | undefined => {
      const file = join(path, 'node_modules', name, 'package.json');
      return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
    };
    const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    const contradictions = names.flatMap((name) =>
      Object.entries(installed(name)?.peerDependencies ?? {}).flatMap(([peer, range]) => {
        const version = names.includes(peer) ? installed(peer)?.version : undefined;
        return version === undefined || accepts(range, version)
          ? []
          : [`${name} requires ${peer} ${range}, not ${version}`];
      }),
    );
    expect(contradictions).toEqual([]);
  },
);
