import { type CallOptions, CorruptFileError, InputError } from '@rarefy/core';
import { parseFooter } from '../embeddings/parquet/footer.js';
import { canUnpack, unpackPage } from '../embeddings/parquet/unpack-page.js';
import { readBytes } from '../files/read-bytes.js';
import { decode, type JsonlOptions, readLines } from '../records/read-lines.js';
import { type Fields, toFields } from '../records/record-fields.js';
import { splitLines } from '../records/split-lines.js';

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

/**
 * Group by group, so that no more than one row group is in memory. The footer is checked, and pages are unpacked, by the code that reads
 * embeddings: the library believes the sizes in a file, and some of its loops do not end on a damaged one. Values are still the library's:
 * a file changed on purpose can keep it busy for good, so read what comes with a checksum.
 */
async function* parquetRows(path: string, { signal }: CallOptions): AsyncGenerator<TableRow> {
  const { asyncBufferFromFile, parquetMetadata, parquetReadObjects } = await import('hyparquet');
  let row = 0;
  try {
    const file = await asyncBufferFromFile(path);
    const tail = new DataView(await file.slice(Math.max(0, file.byteLength - 8)));
    const footerBytes = tail.byteLength === 8 ? tail.getUint32(0, true) : file.byteLength;
    const dataBytes = file.byteLength - 8 - footerBytes;
    if (dataBytes < 4) throw new Error(`a footer of ${footerBytes} bytes in a file of ${file.byteLength}`);
    const footer = await file.slice(dataBytes, file.byteLength);
    const { groups } = parseFooter(new Uint8Array(footer, 0, footerBytes), dataBytes, path);
    const metadata = parquetMetadata(footer);
    for (const group of groups) {
      signal?.throwIfAborted();
      const range = { rowStart: row, rowEnd: row + group.rows };
      for (const fields of await parquetReadObjects({ file, metadata, compressors, ...range })) {
        row++;
        yield { fields, place: `row ${row}`, number: row };
      }
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (CorruptFileError.isInstance(cause)) throw cause;
    const { message } = cause as Error;
    throw new CorruptFileError(`${path} is no whole Parquet file, at row ${row + 1}: ${message}`, { cause });
  }
}

/** By the names and numbers of the format. */
const compressors = Object.fromEntries(
  Object.entries({ SNAPPY: 1, GZIP: 2, BROTLI: 4, ZSTD: 6 }).map(([name, codec]) => [
    name,
    (packed: Uint8Array, size: number) => {
      const page = canUnpack(codec) ? unpackPage(packed, codec, size) : undefined;
      if (page === undefined)
        throw new Error(`a page of ${packed.length} bytes that does not unpack as ${name} to ${size}`);
      return page;
    },
  ]),
);

async function* csvRows(
  path: string,
  { signal, maxLineBytes = 2 ** 24 }: Pick<JsonlOptions, 'signal' | 'maxLineBytes'>,
): AsyncGenerator<TableRow> {
  const { CsvError, parse } = await import('csv-parse');
  const { Readable, pipeline } = await import('node:stream');
  async function* text() {
    for await (const raw of splitLines(readBytes(path, { signal, reuse: true }), maxLineBytes)) {
      try {
        yield `${decode(raw, maxLineBytes)}\n`;
      } catch (error) {
        const { line, byte } = raw;
        throw new InputError(`${path}, line ${line} (byte ${byte}): ${(error as Error).message}. Mend the line.`);
      }
    }
  }
  let last = 0; // line that the last whole row ends at
  const on_record = (record: Fields, { lines }: { lines: number }) => {
    last = lines;
    return record;
  };
  const parser = parse({ on_record, columns: true, info: true, max_record_size: maxLineBytes, skip_empty_lines: true });
  try {
    for await (const { record, info } of pipeline(Readable.from(text()), parser, () => {})) {
      signal?.throwIfAborted();
      yield { fields: record, place: `line ${info.lines}`, number: info.lines };
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof CsvError)) throw error;
    const { code, lines, message } = error;
    // The parser finds the end of the file, or of its patience, where a row began long before.
    const begun = code === 'CSV_QUOTE_NOT_CLOSED' || code === 'CSV_MAX_RECORD_SIZE';
    throw new InputError(
      `${path}, line ${begun ? `${last + 1} or below` : lines}: ${message.replace(/\p{C}/gu, '?')}. Mend the line.`,
      { cause: error },
    );
  }
}
