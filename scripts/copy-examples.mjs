// Copies the sample pairs and the tiny model into the `rarefy` package before it is packed, so that its demo runs anywhere.
// The folder appears whole, and stays as it is if nothing has changed: commands that run at the same time read it.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'packages', 'cli', 'examples');
const copy = `${target}.${process.pid}.tmp`;
for (const name of ['data/pairs.jsonl', 'models/tiny'])
  cpSync(join(root, 'examples', name), join(copy, name), { recursive: true });
if (contents(target) === contents(copy)) {
  rmSync(copy, { recursive: true });
} else {
  rmSync(target, { recursive: true, force: true });
  renameSync(copy, target);
}

/** The files below a folder and their bytes, as one text to compare. */
function contents(folder) {
  if (!existsSync(folder)) return '';
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ name, parentPath }) => join(parentPath, name)).sort();
  return paths.map((path) => `${path.slice(folder.length)}\n${readFileSync(path, 'base64')}`).join('\n');
}
