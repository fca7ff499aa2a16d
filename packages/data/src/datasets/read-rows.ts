import { checkOptions, InputError } from '@rarefy/core';
import { decodeLine, type JsonlOptions, jsonlOptionNames, readBytes, readLines, splitLines } from '@rarefy/io';
import { type Fields, toFields } from '../records/fields.js';
import { parquetRows } from './parquet-rows.js';

/** A row of a data file. */
export interface TableRow {
  readonly fields: Fields;
  /** For messages: its line, or its row in a Parquet file. */
  readonly location: string;
  /** From 1: number of its line, or of its row in a Parquet file. */
  readonly number: number;
}

const optionNames = jsonlOptionNames.filter((name) => name !== 'onEvent');

/**
 * The rows of a data file, one at a time. Parquet is recognized by its first bytes, CSV by the extension `.csv`; anything else is
 * JSON Lines. CSV and JSON Lines may be gzip. The first line of a CSV file has the column names; every value is a string.
 * @throws InputError that names the location of a row that cannot be read; CorruptFileError for a damaged Parquet file; the
 * signal's reason on abort.
 */
export function readRows(
  path: string,
  options: Omit<JsonlOptions, 'onEvent'> = {},
): AsyncGenerator<TableRow, void, undefined> {
  checkOptions(options, optionNames, 'readRows');
  return rowsOf(path, options);
}

async function* rowsOf(
  path: string,
  options: Omit<JsonlOptions, 'onEvent'>,
): AsyncGenerator<TableRow, void, undefined> {
  if (await isParquet(path)) {
    let row = 0;
    for await (const fields of parquetRows(path, options)) yield { fields, location: `row ${++row}`, number: row };
  } else if (/\.csv(\.gz)?$/i.test(path)) yield* csvRows(path, options);
  else {
    for await (const { value, line, byte } of readLines(path, toFields, options)) {
      yield { fields: value, location: `line ${line} (byte ${byte})`, number: line };
    }
  }
}

async function isParquet(path: string): Promise<boolean> {
  for await (const chunk of readBytes(path)) return Buffer.from(chunk.subarray(0, 4)).toString('latin1') === 'PAR1';
  return false;
}

async function* csvRows(
  path: string,
  { signal, maxLineBytes = 2 ** 24 }: Pick<JsonlOptions, 'signal' | 'maxLineBytes'>,
): AsyncGenerator<TableRow> {
  const { CsvError, parse } = await import('csv-parse');
  const { Readable, pipeline } = await import('node:stream');
  async function* text() {
    for await (const raw of splitLines(readBytes(path, { signal, reuse: true }), maxLineBytes)) {
      try {
        yield `${decodeLine(raw, maxLineBytes)}\n`;
      } catch (error) {
        const { line, byte } = raw;
        throw new InputError(`${path}, line ${line} (byte ${byte}): ${(error as Error).message}. Correct the line.`);
      }
    }
  }
  let last = 0; // last line of the last complete row
  const on_record = (record: Fields, { lines }: { lines: number }) => {
    last = lines;
    return record;
  };
  const parser = parse({ on_record, columns: true, info: true, max_record_size: maxLineBytes, skip_empty_lines: true });
  try {
    for await (const { record, info } of pipeline(Readable.from(text()), parser, () => {})) {
      signal?.throwIfAborted();
      yield { fields: record, location: `line ${info.lines}`, number: info.lines };
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof CsvError)) throw error;
    const { code, lines, message } = error;
    // The parser reports the line where the file or the size limit ends; the row began before.
    const begun = code === 'CSV_QUOTE_NOT_CLOSED' || code === 'CSV_MAX_RECORD_SIZE';
    throw new InputError(
      `${path}, line ${begun ? `${last + 1} or later` : lines}: ${message.replace(/\p{C}/gu, '?')}. Correct the line.`,
      { cause: error },
    );
  }
}
