import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type CallOptions, CorruptFileError } from '@rarefy/core';
import { orFileError, parseParquetFooter } from '@rarefy/io';
import type { Fields } from '../records/record-fields.js';

/** Longest that one row group may take; a sound one of 100 MB takes a few seconds. */
const patienceMs = 60_000;
const heapMegabytes = 4096;

/** Reads one range of rows for each message, in a thread of its own. */
const workerText = `
const { parentPort, workerData } = require('node:worker_threads');
const zlib = require('node:zlib');
const compressors = {
  GZIP: (packed, size) => zlib.gunzipSync(packed, { maxOutputLength: Math.max(1, size) }),
  BROTLI: (packed, size) => zlib.brotliDecompressSync(packed, { maxOutputLength: Math.max(1, size) }),
  ...(zlib.zstdDecompressSync
    ? { ZSTD: (packed, size) => zlib.zstdDecompressSync(packed, { maxOutputLength: Math.max(1, size) }) }
    : {}),
};
const tell = (error) => parentPort.postMessage({ failure: String(error && error.message) });
import(workerData.library).then(async ({ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects }) => {
  const file = await asyncBufferFromFile(workerData.path);
  const metadata = await parquetMetadataAsync(file);
  parentPort.on('message', (range) => {
    parquetReadObjects({ file, metadata, compressors, ...range }).then((rows) => parentPort.postMessage({ rows }), tell);
  });
  parentPort.postMessage({ rows: [] });
}).catch(tell);
`;

type Answer = { readonly rows: readonly Fields[] } | { readonly failure: string };

/**
 * The rows of a Parquet file, group by group, so that no more than one row group is in memory. The footer is checked first, and the
 * library runs in a thread that is ended when it takes too long: it believes the sizes in a file, and some of its loops do not end
 * on a damaged one. Integers of 64 bits come as numbers, or as decimal texts beyond 2^53.
 * @throws CorruptFileError for a file that is not sound; InputError when it cannot be read; the signal's reason on abort.
 */
export async function* parquetRows(
  path: string,
  { signal }: CallOptions,
  patience = patienceMs,
): AsyncGenerator<Fields, void, undefined> {
  const corrupt = (what: string) => new CorruptFileError(`${path} is no whole Parquet file: ${what}`);
  const groups = await groupSizes(path, corrupt);
  signal?.throwIfAborted();
  const library = pathToFileURL(createRequire(import.meta.url).resolve('hyparquet')).href;
  const worker = new Worker(workerText, {
    eval: true,
    workerData: { library, path },
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  worker.on('error', () => {}); // told to whoever waits for an answer; one that comes between two must not end the process
  const answer = () =>
    new Promise<readonly Fields[]>((resolve, reject) => {
      const timer = setTimeout(() => settle(corrupt(`reading it took more than ${patience / 1000} s`)), patience);
      const onMessage = (message: Answer) => settle('rows' in message ? message.rows : corrupt(message.failure));
      const onError = (error: Error) => settle(corrupt(error.message));
      const onAbort = () => settle(signal!.reason);
      const settle = (outcome: unknown) => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError);
        signal?.removeEventListener('abort', onAbort);
        if (Array.isArray(outcome)) resolve(outcome);
        else reject(outcome);
      };
      worker.once('message', onMessage).once('error', onError);
      signal?.addEventListener('abort', onAbort);
    });
  try {
    await answer();
    let start = 0;
    for (const rows of groups) {
      signal?.throwIfAborted();
      const answered = answer();
      worker.postMessage({ rowStart: start, rowEnd: start + rows });
      const fields = await answered;
      if (fields.length !== rows) throw corrupt(`a group has ${fields.length} rows where ${rows} are due`);
      for (const row of fields) yield withoutBigints(row);
      start += rows;
    }
  } finally {
    await worker.terminate();
  }
}

/** Integers of 64 bits as numbers, as other formats have them; as decimal texts where a number would round them. */
function withoutBigints(fields: Fields): Fields {
  if (!Object.values(fields).some((value) => typeof value === 'bigint')) return fields;
  const plain = (value: unknown) => {
    if (typeof value !== 'bigint') return value;
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
}

/** Rows of each group, as a footer that is sound tells. */
async function groupSizes(path: string, corrupt: (what: string) => CorruptFileError): Promise<number[]> {
  const file = await orFileError('read', path, open(path));
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(8);
    if (size < 12) throw corrupt(`it has ${size} bytes`);
    await file.read(tail, 0, 8, size - 8);
    const footerBytes = tail.readUInt32LE(0);
    const dataBytes = size - 8 - footerBytes;
    if (dataBytes < 4 || tail.toString('latin1', 4) !== 'PAR1') throw corrupt('it does not end as one');
    const footer = Buffer.alloc(footerBytes);
    await file.read(footer, 0, footerBytes, dataBytes);
    return parseParquetFooter(footer, dataBytes, path).groups.map(({ rows }) => rows);
  } finally {
    await file.close();
  }
}
