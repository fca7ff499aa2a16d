import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The Python that tests run: RAREFY_PYTHON, or python3. */
const python = process.env.RAREFY_PYTHON ?? 'python3';

/** Whether this Python can import all of these modules. */
export function pythonHas(...modules: readonly string[]): boolean {
  return (
    spawnSync(python, ['-c', modules.map((name) => `import ${name}`).join('\n')], { stdio: 'ignore' }).status === 0
  );
}

/** Runs a script of tests/python and returns its output. @throws Error with its stderr if it fails. */
export function runPython(script: string, ...args: readonly string[]): string {
  const path = fileURLToPath(new URL(`../python/${script}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [path, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status === 0) return stdout;
  throw new Error(`${script} ended with ${status}: ${stderr}`);
}
