// Which packages changed since they were last built, told by the content of their files.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stampFile = join(root, 'node_modules', '.rarefy-build.json');
const sharedFiles = ['tsup.base.ts', 'tsconfig.base.json', 'pnpm-lock.yaml'].map((file) => join(root, file));

/** A digest of each package's files, by folder name below `packages`. */
export function sourceDigests() {
  const folders = readdirSync(join(root, 'packages')).filter((name) =>
    existsSync(join(root, 'packages', name, 'package.json')),
  );
  return Object.fromEntries(
    folders.map((name) => [name, digest([...sharedFiles, ...sources(join(root, 'packages', name))])]),
  );
}

/** Folder names of the packages to build. */
export function stalePackages(current = sourceDigests()) {
  const built = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {};
  return Object.keys(current).filter(
    (name) => built[name] !== current[name] || !existsSync(join(root, 'packages', name, 'dist')),
  );
}

/** Notes that everything is built from sources of these digests. */
export function markBuilt(digests) {
  writeFileSync(stampFile, JSON.stringify(digests));
}

/** Every file of a package that its build may read. What lies in a folder named native, cargo builds; packing copies the examples. */
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
