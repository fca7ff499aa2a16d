// `npm start`, `npm test` and `npm run build` run this script. It installs and builds what is missing or out of date, then starts
// the demo or the tests. It has no dependencies, because none are installed before it has run.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPackages } from './build.mjs';
import { markBuilt, sourceDigests, stalePackages } from './build-stamp.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const [task, ...taskArguments] = process.argv.slice(2);

checkNodeVersion();
const tasks = {
  start: () => run(process.execPath, ['packages/cli/bin/rarefy.js', 'demo', ...taskArguments]),
  test,
  build: () => 0,
};
if (!Object.hasOwn(tasks, task)) fail(`unknown task ${task}: use start, test or build`);

await install();
await build({ withTypes: task !== 'start' });
process.exitCode = await tasks[task]();

function checkNodeVersion() {
  const needed = manifest.engines.node.replace('>=', '');
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [neededMajor, neededMinor] = needed.split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return;
  fail(
    `Rarefy needs Node ${needed} or later and this is Node ${process.versions.node}; install one from https://nodejs.org`,
  );
}

/** Installs the libraries unless pnpm's copy of the installed lockfile equals the lockfile. */
async function install() {
  const read = (file) => (existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : undefined);
  if (read('pnpm-lock.yaml') === read('node_modules/.pnpm/lock.yaml')) return;
  console.error('Installing the libraries …');
  const pnpm = ['--yes', manifest.packageManager.split('+')[0]];
  const code = await run('npx', [...pnpm, 'install', '--frozen-lockfile', '--ignore-scripts']);
  if (code !== 0)
    fail(`the libraries could not be installed (exit code ${code}); see above, and check the network`, code);
}

/** Builds the packages whose files have changed since their last build by this script. The demo needs no types. */
async function build({ withTypes }) {
  const current = sourceDigests();
  const stale = stalePackages({ current, withTypes });
  if (stale.length === 0) return;
  console.error(`Building ${stale.join(', ')} …`);
  try {
    await buildPackages(stale, { withTypes });
  } catch (error) {
    fail(`the build failed: ${error.message}`);
  }
  markBuilt(stale, { current, withTypes });
}

/**
 * Runs the tests and prints `N passed, N failed` as the last line. Fails on failed tests, errors outside tests, a crash, and if no
 * test ran. With RAREFY_REQUIRE_COMPONENTS=1, tests that were skipped because of an absent library, browser or file count as
 * failed.
 */
async function test() {
  const folder = mkdtempSync(join(tmpdir(), 'rarefy-test-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  let code = await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...taskArguments]);
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const files = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : [];
  for (const { status, assertionResults } of files) {
    const count = (wanted) => assertionResults.filter((result) => result.status === wanted).length;
    passed += count('passed');
    // A file that fails outside its tests counts as one failed test.
    failed += Math.max(count('failed'), status === 'failed' ? 1 : 0);
    const left = assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed');
    const absent = process.env.RAREFY_REQUIRE_COMPONENTS === '1' ? left.filter(needsComponent) : [];
    for (const { fullName } of absent) console.log(`Skipped, and so failed: ${fullName}`);
    failed += absent.length;
    skipped += left.length - absent.length;
  }
  rmSync(folder, { recursive: true });
  if (files.length === 0) {
    console.log(`No test ran (exit code ${code}).`);
  } else if (code !== 0 && failed === 0) {
    console.log(`The run failed outside the tests (exit code ${code}); see above.`);
    failed = 1;
  }
  if (failed > 0 || passed === 0) code ||= 1;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return code;
}

/** Whether a test was skipped because a component is absent: the name of its suite says so. */
function needsComponent({ fullName }) {
  return fullName.includes('(skipped: ');
}

/** Runs a command in the root folder and returns its exit code. Ctrl-C reaches the command directly; this process waits for it. */
function run(command, commandArguments) {
  const child = spawn(command, commandArguments, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32' && command === 'npx', // npx is a .cmd there
    env: { ...process.env, ...(command === 'npx' ? { npm_config_loglevel: 'error' } : {}) },
  });
  const wait = () => {};
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', wait).on('SIGTERM', forward);
  return new Promise((resolve) => {
    child.on('error', (error) => fail(`${command} could not be started: ${error.message}`));
    child.on('close', (code, signal) => {
      process.off('SIGINT', wait).off('SIGTERM', forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

function fail(message, code = 1) {
  console.error(`rarefy: ${message}`);
  process.exit(code);
}
