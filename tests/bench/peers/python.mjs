import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const environments = fileURLToPath(new URL('../../../out/bench-peers', import.meta.url));

/**
 * The JSON that a script of this folder prints; undefined without Python. RAREFY_PYTHON names a Python that has the peers (and
 * torch, to compare with it). Otherwise an environment with the script's `.requirements.txt` is created in out/bench-peers.
 */
export function runPeer(script) {
  const python = findPython(script);
  if (python === undefined) return undefined;
  const { status, stdout, stderr } = spawnSync(python, [join(folder, script)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${script} failed: ${stderr}`);
  return JSON.parse(stdout);
}

/**
 * A running script of this folder that answers each JSON line with one JSON line; undefined without Python.
 * @returns `ask(request)`, and `end()`, which ends the script
 */
export function startPeer(script) {
  const python = findPython(script);
  if (python === undefined) return undefined;
  return startScript(python, script);
}

/**
 * As {@link startPeer}, with the Python that RAREFY_PYTHON names, or python3. Installs nothing: `{ reason }` if that Python lacks
 * the module.
 */
export function findPeer(script, module) {
  const python = process.env.RAREFY_PYTHON ?? 'python3';
  const { status } = spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' });
  return status === 0 ? startScript(python, script) : { reason: `${python} has no ${module}; set RAREFY_PYTHON` };
}

function startScript(python, script) {
  const child = spawn(python, [join(folder, script)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended; what it wrote stands above`);
      return JSON.parse(value);
    },
    end: () => child.stdin.end(),
  };
}

function findPython(script) {
  return process.env.RAREFY_PYTHON ?? setUp(script.replace('.py', ''));
}

function setUp(name) {
  const environment = join(environments, name);
  const python = join(environment, 'bin', 'python');
  const requirements = join(folder, `${name}.requirements.txt`);
  const run = (command, ...args) => spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  const isReady =
    (existsSync(python) || run('python3', '-m', 'venv', environment)) &&
    run(python, '-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', requirements);
  return isReady ? python : undefined;
}
