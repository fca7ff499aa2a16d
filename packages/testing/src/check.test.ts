import { expect, test } from 'vitest';
import { type Check, CheckFailedError, runChecks } from './check.js';

const why = 'Users care.';
const passing: Check = { name: 'passing', why, run() {} };
const failing: Check = {
  name: 'failing',
  why,
  async run() {
    throw new Error('expected 2, got 3');
  },
};
const unable: Check = {
  name: 'unable',
  why,
  requires: { capability: 'wings', met: async () => false },
  run: failing.run,
};

test('a report counts, keeps the order and continues after a failure', async () => {
  const report = await runChecks([failing, unable, passing]);
  expect(report).toMatchObject({ passed: 1, failed: 1, skipped: 1 });
  expect(report.results.map(({ name }) => name)).toEqual(['failing', 'unable', 'passing']);
  const [failure, skip] = report.results;
  expect(failure).toHaveProperty('error.message', 'failing: expected 2, got 3. Users care.');
  expect(failure).toHaveProperty('error.code', 'RAREFY_CHECK_FAILED');
  expect(failure).toHaveProperty('error.cause.message', 'expected 2, got 3');
  expect(skip).toHaveProperty('reason', 'needs wings');
});

test('results are reported as they come, and an abort ends the run before the next check', async () => {
  const reported: string[] = [];
  const controller = new AbortController();
  const reason = new Error('enough');
  const run = runChecks([passing, failing, unable], {
    signal: controller.signal,
    onResult({ name, status }) {
      reported.push(`${name} ${status}`);
      if (reported.length === 2) controller.abort(reason);
    },
  });
  await expect(run).rejects.toBe(reason);
  expect(reported).toEqual(['passing passed', 'failing failed']);
});

test('the error of a failed check names the seed of its inputs', async () => {
  const { results } = await runChecks([{ ...failing, seed: 12 }]);
  expect(results[0]).toHaveProperty(
    'error.message',
    'failing: expected 2, got 3 (random inputs of seed 12). Users care.',
  );
});

test('an expected failure is skipped with its reason, an unexpected pass fails, and an unknown name is an error', async () => {
  const report = await runChecks([failing, passing], { expectedFailures: { failing: 'issue 7', passing: 'issue 8' } });
  expect(report).toMatchObject({ passed: 0, failed: 1, skipped: 1 });
  expect(report.results[0]).toHaveProperty('reason', 'expected to fail: issue 7');
  expect(report.results[1]).toHaveProperty('error.message', expect.stringContaining('was expected to fail (issue 8)'));
  await expect(runChecks([passing], { expectedFailures: { absent: 'x' } })).rejects.toBeInstanceOf(CheckFailedError);
});

test('a component that cannot be made fails the checks that need it', async () => {
  const requires = { capability: 'x', met: () => Promise.reject(new Error('no model')) };
  expect(await runChecks([{ ...passing, requires }])).toMatchObject({ failed: 1 });
});

test('after a failure that stops the run, the later checks are skipped with its name', async () => {
  const first = { ...failing, name: 'first', stopsIfFailed: true };
  const report = await runChecks([passing, first, failing, passing]);
  expect(report).toMatchObject({ passed: 1, failed: 1, skipped: 2 });
  expect(report.results[2]).toEqual({ name: 'failing', status: 'skipped', reason: '"first" failed' });
  expect(await runChecks([{ ...passing, stopsIfFailed: true }, failing])).toMatchObject({ passed: 1, failed: 1 });
  const known = { expectedFailures: { first: 'issue 7' } };
  expect(await runChecks([first, passing], known)).toMatchObject({ passed: 1, skipped: 1 });
});

test('an error of JavaScript itself keeps its class in the message', async () => {
  const run = () => void (undefined as unknown as number[]).length;
  const { results } = await runChecks([{ ...passing, run }]);
  expect(results[0]).toHaveProperty(
    'error.message',
    expect.stringContaining('the component threw TypeError: Cannot read'),
  );
});

test('runChecks wants a list of checks, not a subject', async () => {
  for (const wrong of [undefined, { create: () => {} }]) {
    await expect(runChecks(wrong as never)).rejects.toThrow('runChecks needs a list of checks, such as samplerChecks(');
  }
});
