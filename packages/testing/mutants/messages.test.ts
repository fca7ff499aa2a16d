import type { Embedder, Loader } from '@rarefy/core';
import { expect, test } from 'vitest';
import { type Check, runChecks } from '../src/check.js';
import { embedderChecks } from '../src/checks/embedder-checks.js';
import { forwardModelChecks } from '../src/checks/forward-model-checks.js';
import { loaderChecks } from '../src/checks/loader-checks.js';
import { loggerChecks } from '../src/checks/logger-checks.js';
import { samplerChecks } from '../src/checks/sampler-checks.js';
import { formCheck } from '../src/component-checks.js';
import { letterEmbedder } from '../src/reference/letter-embedder.js';
import { naiveLoader } from '../src/reference/naive-loader.js';
import { rouletteSampler } from '../src/reference/samplers.js';
import { memoryLogger } from './memory-logger.js';
import { altered } from './mutant.js';

/** The message of a check that fails. */
async function failure(checks: readonly Check[], name = formCheck): Promise<string> {
  const { results } = await runChecks(checks);
  const result = results.find((found) => found.name === name);
  return result?.status === 'failed' ? result.error.message : `${name} ${result?.status}`;
}

const embedBatch = (change: Embedder['embedBatch']) => ({
  create: () => altered(letterEmbedder(), { embedBatch: change }),
});
const sampler = () => rouletteSampler([1, 2, 3], { seed: 1 });
/** Values as JavaScript can pass them. */
const wrong = <Value>(value: unknown) => value as Value;

test.each<[string, readonly Check[], string]>([
  [
    'rows as arrays',
    embedderChecks(embedBatch(wrong(async () => ({ embeddings: [[1, 0]] })))),
    'expected embeddings to be a matrix { data: Float32Array, rows, cols }, got an array; matrix(rows) of @rarefy/core makes one',
  ],
  [
    'rows alone',
    embedderChecks(embedBatch(wrong(async () => [[1, 0]]))),
    'to return { embeddings }, got an array; matrix(rows)',
  ],
  [
    'a matrix of float64',
    embedderChecks(embedBatch(wrong(async () => ({ embeddings: { data: new Float64Array(2), rows: 1, cols: 2 } })))),
    'expected data of embeddings to be a Float32Array, got a Float64Array',
  ],
  [
    'a method that is missing',
    samplerChecks({ create: () => altered(sampler(), wrong({ restore: undefined })) }),
    'expected the sampler to have a method restore, got undefined',
  ],
  [
    'an async draw',
    samplerChecks({ create: () => altered(sampler(), wrong({ draw: () => Promise.reject(new Error('late')) })) }),
    'expected draw to return an object, got a promise; draw is synchronous',
  ],
  [
    'a factory of factories',
    samplerChecks({ create: () => wrong(sampler) }),
    'got a function; return what the function makes',
  ],
  [
    'a factory without return',
    samplerChecks({ create: () => wrong(undefined) }),
    'the sampler to be an object, got undefined',
  ],
  [
    'a shared instance',
    samplerChecks({
      create: wrong(
        (
          (one) => () =>
            one
        )(sampler()),
      ),
    }),
    'create returned the same object twice; it must make a new one at every call',
  ],
  [
    'a logger alone',
    loggerChecks({ create: () => wrong(memoryLogger().logger) }),
    'create returned a logger; return { logger, read }',
  ],
  [
    'a model without tensor',
    forwardModelChecks({ create: () => wrong<never>({ forward() {} }) }),
    'to have a function tensor that makes an int32 tensor of rows, got undefined; with tfjs: (rows) => tf.tensor2d',
  ],
])('%s: the first check says what is wrong and the others are skipped', async (_, checks, message) => {
  expect(await failure(checks)).toContain(message);
  expect(await runChecks(checks)).toMatchObject({ passed: 0, failed: 1 });
});

test('rows in another order than the texts are named by their texts', async () => {
  const { embedBatch: right } = letterEmbedder();
  const shortFirst = embedBatch((items) => right(items.toSorted((a, b) => a.length - b.length)));
  expect(await failure(embedderChecks(shortFirst), 'keeps the order of the texts')).toContain(
    'in a reversed batch, text 0 gets the row that text 4 has in the batch; rows must be in the order of the texts',
  );
});

test('a small difference between batch sizes names batchTolerance', async () => {
  const { embedBatch: right } = letterEmbedder();
  const rounded = embedBatch(async (items) => {
    const { embeddings } = await right(items);
    return { embeddings: { ...embeddings, data: embeddings.data.map((value) => value * (1 + 1e-6 * items.length)) } };
  });
  expect(await failure(embedderChecks(rounded), 'embeds a text alone as in a batch')).toMatch(
    /row 0 embedded alone differs by up to \S+e-6, but capabilities.batchTolerance is 0; if this is rounding, declare at least \S+e-6/,
  );
});

test('a subject with an unknown member or without create is refused, and a skipped check says what it needs', async () => {
  expect(() => samplerChecks(wrong({ create: sampler, fromWeight: sampler }))).toThrow(
    'the subject of sampler checks has no option "fromWeight"; did you mean "fromWeights"?',
  );
  expect(() => loggerChecks(wrong({ create: memoryLogger, presicion: 1 }))).toThrow('did you mean "precision"?');
  expect(() => loaderChecks(wrong({}))).toThrow('needs a function create, (prompts, { sampler, batchSize');
  const { results } = await runChecks(samplerChecks({ create: sampler }));
  const reasons = results.flatMap((result) => (result.status === 'skipped' ? [result.reason] : []));
  expect(reasons).toContain(
    'needs `variants` in the subject: functions that make the component with one option changed',
  );
  expect(reasons).toContain(
    'needs `fromWeights` in the subject: (weights, seed) => Sampler that follows these weights',
  );
});

test('loaders of any prompts and both forms of fromWeights fit the types', () => {
  const loader = (prompts: readonly string[], setting: Parameters<typeof naiveLoader>[1]): Loader =>
    naiveLoader(prompts, setting);
  expect(loaderChecks({ create: loader }).length).toBe(loaderChecks({ create: naiveLoader }).length);
  const one = (weights: Float64Array) => rouletteSampler(weights, { seed: 1 });
  const two = (weights: Float64Array, seed: number) => rouletteSampler(weights, { seed });
  for (const fromWeights of [one, two]) samplerChecks({ create: sampler, fromWeights });
});
