import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The Python that tests run: RAREFY_PYTHON, or python3. */
const python = process.env.RAREFY_PYTHON ?? 'python3';

/** Why tests that need these modules are skipped, for the name of their suite: '', or ` (skipped: python3 has no torch)`. */
export function withoutModules(...modules: readonly string[]): string {
  const find = 'import sys, importlib.util as u; print(*[name for name in sys.argv[1:] if not u.find_spec(name)])';
  const { status, stdout } = spawnSync(python, ['-c', find, ...modules], { encoding: 'utf8' });
  if (status !== 0) return ` (skipped: ${python} is absent)`;
  const absent = stdout.trim().split(' ').join(' and ');
  return absent === '' ? '' : ` (skipped: ${python} has no ${absent})`;
}

/** Runs a script of tests/python and returns its output. @throws Error with its stderr if it fails. */
export function runPython(script: string, ...args: readonly string[]): string {
  const path = fileURLToPath(new URL(`../python/${script}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [path, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status === 0) return stdout;
  throw new Error(`${script} ended with ${status}: ${stderr}`);
}
