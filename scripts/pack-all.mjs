// `npm run pack:all`: builds and packs every package to `out/packages`, and prints what to install and what each package needs.
// The package.json beside the tarballs installs them all, with npm, pnpm, bun or yarn.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'out', 'packages');
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

execFileSync(process.execPath, ['scripts/bootstrap.mjs', 'build'], { cwd: root, stdio: 'inherit' });
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const packing = [
  '--yes',
  packageManager,
  '--filter',
  './packages/*',
  '-r',
  'pack',
  '--json',
  '--pack-destination',
  target,
];
const packed = spawnSync('npx', packing, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
if (packed.status !== 0) {
  console.error(packed.stdout + packed.stderr);
  console.error(`rarefy: the packages could not be packed (exit code ${packed.status}); see above.`);
  process.exit(1);
}

const packages = readdirSync(join(root, 'packages')).map((folder) =>
  JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8')),
);
const tarballOf = ({ name, version }) => `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
const files = Object.fromEntries(
  packages.map((manifest) => [manifest.name, `file:${join(target, tarballOf(manifest))}`]),
);
const isOwn = (name) => Object.hasOwn(files, name);
/** The package and the Rarefy packages that it depends on, with their dependencies. */
function closure(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  const { dependencies = {} } = packages.find((manifest) => manifest.name === name);
  for (const other of Object.keys(dependencies).filter(isOwn)) closure(other, seen);
  return seen;
}

/** Peers of the package and of the packages it depends on: the text to install, and whether all of them can do without it. */
function peersOf(name) {
  const peers = new Map();
  for (const member of closure(name)) {
    const { peerDependencies = {}, peerDependenciesMeta = {} } = packages.find((manifest) => manifest.name === member);
    for (const [peer, range] of Object.entries(peerDependencies)) {
      const text = isOwn(peer) ? peer : `${peer}@${range}`;
      peers.set(text, (peers.get(text) ?? true) && peerDependenciesMeta[peer]?.optional === true);
    }
  }
  return peers;
}

// What the documentation imports directly. pnpm and yarn let a project import only what its package.json names.
const imported = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm', 'rxjs'].map((name) => {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
  return [name, `^${version}`];
});
const needed = packages.flatMap(({ peerDependencies = {}, peerDependenciesMeta = {} }) =>
  Object.entries(peerDependencies).filter(([peer]) => peerDependenciesMeta[peer]?.optional !== true),
);
// No registry has these packages. Each package manager has its own field that says where their dependencies on each other are.
const everything = {
  private: true,
  type: 'module',
  dependencies: { ...files, ...Object.fromEntries([...needed, ...imported]) },
  overrides: files, // npm, bun
  resolutions: files, // yarn, pnpm
};
writeFileSync(join(target, 'package.json'), `${JSON.stringify(everything, null, 2)}\n`);

const here = relative(process.cwd(), target) || '.';
console.log(`Packed ${packages.length} packages to ${here}.\n`);
for (const manifest of packages) {
  const { name } = manifest;
  const others = [...closure(name)].filter((other) => other !== name);
  const peers = peersOf(name);
  const list = (isOptional) =>
    [...peers]
      .filter(([, optional]) => optional === isOptional)
      .map(([peer]) => peer)
      .join(', ');
  console.log(`${name}: ${tarballOf(manifest)}`);
  if (others.length > 0) console.log(`  with the tarballs of: ${others.sort().join(', ')}`);
  if (list(false) !== '') console.log(`  needs: ${list(false)}`);
  if (list(true) !== '') console.log(`  can use: ${list(true)}`);
}
console.log(`
To install with npm, name a tarball together with those that it lists, and what it needs, for example
  npm install ${[...closure('@rarefy/samplers')].map((name) => join(here, tarballOf(packages.find((manifest) => manifest.name === name)))).join(' ')}
pnpm, bun and yarn also have to know where the packages are: copy the fields "overrides" (bun) and "resolutions" (pnpm, yarn) of
${join(here, 'package.json')} into your package.json, or begin with a copy of that file, which installs all packages. yarn also needs
"nodeLinker: node-modules" in .yarnrc.yml. See docs/guide/install.md.`);
