import { type CallOptions, CorruptFileError } from '@rarefy/core';
import { guardedWorker, libraryUrl, openFile, readParquetFooter } from '@rarefy/io';
import type { Fields } from '../records/fields.js';

/** Longest time for one row group; a valid one of 100 MB takes a few seconds. */
const groupMs = 60_000;
const heapMegabytes = 4096;

/**
 * The rows of a Parquet file, one row group in memory at a time. The footer is checked first. The library hyparquet runs in a
 * guarded worker, because it trusts the sizes in a file and some of its loops do not end on a damaged one. 64-bit integers become
 * numbers, or decimal strings beyond 2^53.
 * @throws CorruptFileError if the file is not valid; InputError if it cannot be read; the signal's reason on abort.
 */
export async function* parquetRows(
  path: string,
  { signal }: CallOptions,
  timeMs = groupMs,
): AsyncGenerator<Fields, void, undefined> {
  const toError = (reason: string) =>
    new CorruptFileError(`${path} is not a valid Parquet file: ${reason}. Copy or download it again.`);
  const groups = await groupSizes(path, signal);
  await using worker = guardedWorker(serveGroups, {
    library: libraryUrl('hyparquet', import.meta.url),
    data: path,
    timeMs,
    heapMegabytes,
    toError,
  });
  let rowStart = 0;
  for (const rows of groups) {
    const rowEnd = rowStart + rows;
    const fields = await worker.ask({ rowStart, rowEnd }, { signal });
    if (fields.length !== rows) throw toError(`a row group has ${fields.length} rows, expected ${rows}`);
    for (const row of fields) yield withoutBigints(row);
    rowStart = rowEnd;
  }
}

/** Runs in the worker: reads one range of rows per request. */
async function serveGroups({ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects }: Hyparquet, path: string) {
  const zlib = process.getBuiltinModule('node:zlib') as typeof import('node:zlib') & {
    readonly zstdDecompressSync?: typeof import('node:zlib').gunzipSync; // from Node 22.15 on
  };
  const unpacker = (unpack: typeof zlib.gunzipSync) => (packed: Uint8Array, size: number) =>
    unpack(packed, { maxOutputLength: Math.max(1, size) });
  const compressors = {
    GZIP: unpacker(zlib.gunzipSync),
    BROTLI: unpacker(zlib.brotliDecompressSync),
    ...(zlib.zstdDecompressSync ? { ZSTD: unpacker(zlib.zstdDecompressSync) } : {}),
  };
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  return async (range: { readonly rowStart: number; readonly rowEnd: number }) => ({
    answer: (await parquetReadObjects({ file, metadata, compressors, ...range })) as readonly Fields[],
  });
}

type Hyparquet = typeof import('hyparquet');

function withoutBigints(fields: Fields): Fields {
  if (!Object.values(fields).some((value) => typeof value === 'bigint')) return fields;
  const plain = (value: unknown) => {
    if (typeof value !== 'bigint') return value;
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
}

/** Rows of each row group, from the checked footer. */
async function groupSizes(path: string, signal: AbortSignal | undefined): Promise<number[]> {
  await using file = await openFile(path, { signal });
  const { groups } = await readParquetFooter(file);
  return groups.map(({ rows }) => rows);
}
