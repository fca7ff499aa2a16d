import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tensorBoardLogger } from '@rarefy/training';
import { afterAll, describe, expect, test } from 'vitest';
import { runPython, withoutModules } from './support/python.js';

const reason = withoutModules('tensorboard');
const folder = mkdtempSync(join(tmpdir(), 'tensorboard-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(reason !== '')(`TensorBoard reads our event files${reason}`, () => {
  test('every scalar of every step, also after a resume', { timeout: 60_000 }, () => {
    const first = tensorBoardLogger(folder);
    for (let step = 1; step <= 6; step++) first.log(step, { reward: step / 8, 'rewards/größe/mean': -1e-30 });
    first.close();
    const resumed = tensorBoardLogger(folder, { truncateAfterStep: 4 });
    resumed.log(5, { reward: 0.5, kl: Number.NaN });
    resumed.log(2 ** 40, { reward: 1e300, zero: 0 });
    resumed.close();
    expect(JSON.parse(runPython('tensorboard_events.py', 'read', folder))).toEqual({
      reward: [
        ...[1, 2, 3, 4].map((step) => [step, step / 8]),
        [5, 0.5],
        [2 ** 40, null], // beyond float32
      ],
      'rewards/größe/mean': [1, 2, 3, 4].map((step) => [step, Math.fround(-1e-30)]),
      kl: [[5, null]],
      zero: [[2 ** 40, 0]],
    });
  });
});
