import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, StateMismatchError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { checkRunFile, writeRunFile } from './run-file.js';

test('a run goes on only with its fixed settings', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'rarefy-run-')), 'run');
  await expect(checkRunFile(folder, {})).rejects.toThrow(InputError);
  await writeRunFile(folder, { stage: 'rm', fixed: { weights: 'abc', rewards: ['a', 'b'] } });
  expect(JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'))).toMatchObject({ stage: 'rm' });
  await checkRunFile(folder, { rewards: ['a', 'b'], weights: 'abc' });
  await expect(checkRunFile(folder, { weights: 'abc', rewards: ['a'] })).rejects.toThrow(
    new StateMismatchError(
      `${folder} is a run with other settings: rewards was ["a","b"] and is now ["a"]; use the same, or choose another folder`,
    ),
  );
  await expect(checkRunFile(folder, { weights: 'abc' })).rejects.toThrow('rewards was ["a","b"] and is now none');
  rmSync(folder, { recursive: true });
});
