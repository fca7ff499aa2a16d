import { stat } from 'node:fs/promises';
import { type CallOptions, CorruptFileError, InputError } from '@rarefy/core';
import { fileError } from '../files/file-error.js';
import { readBytes } from '../files/read-bytes.js';
import { type JsonlOptions, readLines } from '../records/read-lines.js';
import { type Fields, toFields } from '../records/record-fields.js';

/** A row of a table, and where it stands: a line, or a row of a Parquet file. */
export interface TableRow {
  readonly fields: Fields;
  readonly place: string;
  /** From 1: its line, or its row in a file without lines. */
  readonly number: number;
}

/**
 * The rows of a file, one at a time: Parquet by its first bytes, CSV by the name `.csv`, and JSON Lines otherwise; the latter two gzip or
 * plain. A CSV file has its column names in the first line; every value is a text.
 * @throws InputError naming the place of what cannot be read; CorruptFileError for a damaged Parquet file; the signal's reason on abort.
 */
export async function* readRows(
  path: string,
  options: Omit<JsonlOptions, 'onEvent'> = {},
): AsyncGenerator<TableRow, void, undefined> {
  if (await isParquet(path)) yield* parquetRows(path, options);
  else if (/\.csv(\.gz)?$/i.test(path)) yield* csvRows(path, options);
  else {
    for await (const { value, line, byte } of readLines(path, toFields, options)) {
      yield { fields: value, place: `line ${line} (byte ${byte})`, number: line };
    }
  }
}

async function isParquet(path: string): Promise<boolean> {
  for await (const chunk of readBytes(path)) return Buffer.from(chunk.subarray(0, 4)).toString('latin1') === 'PAR1';
  return false;
}

/** Group by group, so that no more than one row group is in memory. */
async function* parquetRows(path: string, { signal }: CallOptions): AsyncGenerator<TableRow> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const { size } = await stat(path).catch((cause) => {
    throw fileError('read', path, cause);
  });
  let row = 0;
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    for (const group of metadata.row_groups) {
      signal?.throwIfAborted();
      const rows = Number(group.num_rows);
      // Compressed text grows some ten times; a header that promises more rows than bits is not believed.
      if (!(rows >= 0 && rows <= 8 * size)) throw new Error(`a group of ${rows} rows in ${size} bytes`);
      for (const fields of await parquetReadObjects({ file, metadata, rowStart: row, rowEnd: row + rows })) {
        row++;
        yield { fields, place: `row ${row}`, number: row };
      }
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new CorruptFileError(`${path} is no whole Parquet file, at row ${row + 1}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function* csvRows(
  path: string,
  { signal, maxLineBytes = 2 ** 24 }: Pick<JsonlOptions, 'signal' | 'maxLineBytes'>,
): AsyncGenerator<TableRow> {
  const { parse } = await import('csv-parse');
  const { Readable, pipeline } = await import('node:stream');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  async function* text() {
    try {
      for await (const chunk of readBytes(path, { signal })) yield decoder.decode(chunk, { stream: true });
      yield decoder.decode();
    } catch (cause) {
      if (cause instanceof TypeError) throw new InputError(`${path} is not valid UTF-8; convert it`, { cause });
      throw cause;
    }
  }
  const parser = parse({ columns: true, info: true, bom: true, max_record_size: maxLineBytes, skip_empty_lines: true });
  try {
    for await (const { record, info } of pipeline(Readable.from(text()), parser, () => {})) {
      signal?.throwIfAborted();
      yield { fields: record, place: `line ${info.lines}`, number: info.lines };
    }
  } catch (error) {
    signal?.throwIfAborted();
    const { code, lines, message } = error as { code?: unknown; lines?: number; message: string };
    if (!String(code).startsWith('CSV_')) throw error;
    const at = lines === undefined ? '' : `, line ${lines}`;
    throw new InputError(`${path}${at}: ${message.replace(/\p{C}/gu, '?')}. Mend the line.`, { cause: error });
  }
}
