import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The Python that the tests call: RAREFY_PYTHON, or python3. */
const python = process.env.RAREFY_PYTHON ?? 'python3';

/** Whether that Python can import all of these modules. */
export function pythonHas(...modules: readonly string[]): boolean {
  return (
    spawnSync(python, ['-c', modules.map((name) => `import ${name}`).join('\n')], { stdio: 'ignore' }).status === 0
  );
}

/** Runs a script of tests/python and gives what it prints. @throws with what it wrote on stderr when it fails. */
export function runPython(script: string, ...args: readonly string[]): string {
  const path = fileURLToPath(new URL(`../python/${script}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [path, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status === 0) return stdout;
  throw new Error(`${script} ended with ${status}: ${stderr}`);
}
