// Builds the addon for this machine with cargo, and puts it next to this file, from where the package loads it.
import { spawnSync } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const cargoArguments = ['build', '--release', '--locked', '--message-format=json-render-diagnostics'];
const { status, stdout, error } = spawnSync('cargo', cargoArguments, {
  cwd: folder,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 2 ** 28,
});
if (error) fail(`cargo could not be started (${error.code}); install Rust 1.89 or later from https://rustup.rs`);
if (status !== 0) fail(`cargo ended with code ${status}; see above`);
const library = stdout
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter(({ reason, target }) => reason === 'compiler-artifact' && target.kind.includes('cdylib'))
  .flatMap(({ filenames }) => filenames)
  .find((name) => /\.(so|dylib|dll)$/.test(name));
if (!library) fail('cargo reported no library');
const addon = join(folder, `neighbors.${process.platform}-${process.arch}.node`);
// Renamed into place, because a process may have the previous file open.
copyFileSync(library, `${addon}.new`);
renameSync(`${addon}.new`, addon);
console.log(`built ${addon}`);

function fail(message) {
  console.error(`build:native: ${message}`);
  process.exit(1);
}
