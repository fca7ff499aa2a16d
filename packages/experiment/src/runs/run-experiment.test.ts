import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activate } from '@rarefy/lm';
import '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { saveTinyModel, tinyExperiment } from '../../../../tests/support/tiny-experiment.js';
import { readExperiment } from './read-experiment.js';
import { runExperiment } from './run-experiment.js';

let root: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rarefy-experiment-'));
  await saveTinyModel(join(root, 'model'));
});
afterEach(() => rm(root, { recursive: true }));

test('a whole experiment', async () => {
  const experiment = tinyExperiment(join(root, 'model'));
  const folder = join(root, 'out');
  await runExperiment(experiment, { folder, onEvent: (e) => console.log(JSON.stringify(e)) });
  const read = await readExperiment(folder);
  console.log(
    JSON.stringify(read, (k, v) => (ArrayBuffer.isView(v) ? Array.from(v as Float64Array) : v), 1).slice(0, 9000),
  );
  expect(read.departures).toEqual([]);
});
