import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { digestEmbedder } from '../../../tests/support/digest-embedder.js';
import { embedToFile } from './embed-job/embed-to-file.js';
import { estimateEmbedding } from './embed-job/estimate.js';
import { readEmbeddingManifest, verifyEmbeddings } from './embed-job/manifest.js';
import { convertEmbeddings, openEmbeddings, readEmbeddings, writeEmbeddings } from './files/embedding-file.js';

/** Every function with an option that it does not have, as JavaScript can pass it, and the name that the message suggests. */
const wrong = <Value>(options: unknown) => options as Value;
const embedder = digestEmbedder();
const out = 'no-folder/x.npy';
const one = { ids: ['a'], embeddings: { data: Float32Array.of(1), rows: 1, cols: 1 } };
const calls: Record<string, [call: () => unknown, unknown: string, suggested: string]> = {
  embedToFile: [() => embedToFile(embedder, [], wrong({ out, dytpe: 'float16' })), 'dytpe', 'dtype'],
  estimateEmbedding: [() => estimateEmbedding(embedder, [], wrong({ samples: 8 })), 'samples', 'sample'],
  readEmbeddingManifest: [() => readEmbeddingManifest(out, wrong({ filesystem: 1 })), 'filesystem', 'fileSystem'],
  verifyEmbeddings: [() => verifyEmbeddings(out, wrong({ filesystem: 1 })), 'filesystem', 'fileSystem'],
  convertEmbeddings: [() => convertEmbeddings('no-file', out, wrong({ dType: 'float16' })), 'dType', 'dtype'],
  openEmbeddings: [() => openEmbeddings('no-file', wrong({ signals: 1 })), 'signals', 'signal'],
  readEmbeddings: [() => readEmbeddings('no-file', wrong({ signals: 1 })), 'signals', 'signal'],
  writeEmbeddings: [() => writeEmbeddings(out, one, wrong({ dtypes: 'float16' })), 'dtypes', 'dtype'],
};

test.each(Object.entries(calls))('%s refuses an option that it does not have', async (where, [call, name, near]) => {
  const failed = Promise.resolve().then(call);
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(`${where} has no option "${name}"; did you mean "${near}"?`);
});

test('arguments of the wrong kind are refused in words', async () => {
  const rows = [{ id: 'a', item: 'text' }];
  const of = (given: unknown, options: unknown = { out }) =>
    embedToFile(embedder, wrong<typeof rows>(given), wrong(options));
  const needsOut = "embedToFile needs `out`, the path of the file to write, such as 'embeddings.safetensors'; got ";
  async function* generator() {
    yield* rows;
  }
  const failures: [call: () => Promise<unknown>, string][] = [
    [() => embedToFile(embedder, rows, wrong<{ out: string }>(undefined)), `${needsOut}undefined`],
    [() => of(rows, {}), `${needsOut}undefined`],
    [() => of(rows, { out: 7 }), `${needsOut}a number`],
    [() => of(undefined), 'embedToFile needs a list of items, got undefined'],
    [() => of(Promise.resolve(rows)), 'got a promise; did you forget await?'],
    [() => of(generator()), 'embedToFile reads its rows twice, got an iterator, which can be read only once'],
    [() => of(rows.values()), 'collect its rows in an array'],
    [() => of(['text']), 'row 0 must be { id, item }: the id a string, the item what the embedder takes, got a string'],
    [() => of([...rows, { id: 'b', prompt: 'p' }]), 'row 1 must be { id, item }: '],
    [() => of([{ id: 'b', prompt: 'p' }]), 'got { "id": a string, "prompt": a string }'],
    [() => of([{ id: 7, item: 'p' }]), 'got { "id": a number, "item": a string }'],
    [() => of([null]), 'the item what the embedder takes, got null'],
    [
      () => embedToFile(wrong<typeof embedder>(undefined), rows, { out }),
      'embedToFile needs an embedder, got undefined',
    ],
    [
      () => estimateEmbedding(wrong<typeof embedder>(embedder.embedBatch), rows),
      'estimateEmbedding needs an embedder, got a function',
    ],
    [() => estimateEmbedding(embedder, wrong('text')), 'estimateEmbedding needs a list of items, got a string'],
    [() => estimateEmbedding(embedder, wrong(['text'])), 'row 0 must be { id, item }'],
    [() => estimateEmbedding(embedder, rows, { sample: 0 }), 'sample must be an integer ≥ 1, got 0'],
    [() => writeEmbeddings(wrong(undefined), one), 'the path of an embedding file must be a string, got undefined'],
    [() => convertEmbeddings('no-file', wrong(null)), 'the path of an embedding file must be a string, got null'],
    [
      () => writeEmbeddings(out, { ...one, ids: wrong(new Set(['a'])) }),
      'writeEmbeddings needs an array of items, got an object',
    ],
    [() => writeEmbeddings(out, { ...one, embeddings: wrong([[1]]) }), 'embeddings must be '],
  ];
  for (const [call, message] of failures) {
    const failure = call();
    await expect(failure).rejects.toThrow(InvalidArgumentError);
    await expect(failure).rejects.toThrow(message);
  }
});

test('rows of a Set are embedded, because they can be read twice', async () => {
  const rows = new Set([{ id: 'a', item: 'text' }]);
  expect((await estimateEmbedding(embedder, rows)).rows).toBe(1);
});
