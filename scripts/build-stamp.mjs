// Finds the packages that have changed since their last build, by the content of their files.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stampFile = join(root, 'node_modules', '.rarefy-build.json');
const sharedFiles = ['scripts/build.mjs', 'tsconfig.base.json', 'pnpm-lock.yaml'].map((file) => join(root, file));

/** A digest of the files of each package, by folder name below `packages`. */
export function sourceDigests() {
  const folders = readdirSync(join(root, 'packages')).filter((name) =>
    existsSync(join(root, 'packages', name, 'package.json')),
  );
  return Object.fromEntries(
    folders.map((name) => [name, digest([...sharedFiles, ...sources(join(root, 'packages', name))])]),
  );
}

/** Folder names of the packages to build: those that have changed since, and those built without types if these are needed. */
export function stalePackages({ current = sourceDigests(), withTypes = true } = {}) {
  const built = readStamp();
  return Object.keys(current).filter((name) => {
    if (built[name]?.digest !== current[name] || (withTypes && !built[name].withTypes)) return true;
    return !existsSync(join(root, 'packages', name, 'dist'));
  });
}

/** Records that these packages are built from sources with these digests. */
export function markBuilt(names, { current, withTypes }) {
  const built = Object.fromEntries(names.map((name) => [name, { digest: current[name], withTypes }]));
  writeFileSync(stampFile, JSON.stringify({ ...readStamp(), ...built }));
}

function readStamp() {
  return existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {};
}

/** Every file that the build of a package may read. Folders named native are built by cargo, and packing copies the examples. */
function sources(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !['node_modules', 'dist', 'native', 'examples'].includes(name) && !name.endsWith('.test.ts'))
    .flatMap((entry) => (entry.isDirectory() ? sources(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}
