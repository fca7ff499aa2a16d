import { type CallOptions, InputError, InvalidArgumentError, type RowSource } from '@rarefy/core';
import {
  type ByteSource,
  checkRows,
  corruptParquet,
  type ParquetColumn,
  type ParquetFooter,
  readParquetFooter,
  type WriteOptions,
  writeAtomically,
} from '@rarefy/io';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { checkStoredIds, checkText, toIds } from '../../table/ids.js';
import { type EmbeddingTable, encodedBlocks, type WritableTable } from '../../table/table.js';
import { readColumnChunk } from './column-chunk.js';

const minLimit = 2 ** 24;
const maxBytesPerNumber = 64; // decompressed, with levels and dictionary index; usual are 8 and a few bits
const writerKeys = new Set(['ARROW:schema', 'pandas']); // metadata that pyarrow adds for itself

/**
 * A Parquet file with a column `id` of strings or integers, and a column `embedding` of lists of FLOAT, DOUBLE or FLOAT16, all of
 * one length. Rows are read one row group at a time. A decompressed page has at most twice the size of the file, or 16 MiB if
 * that is more.
 * @throws InputError for other columns, encodings or codecs, and for missing values; CorruptFileError that says what is wrong.
 */
export async function openParquetEmbeddings(source: ByteSource): Promise<EmbeddingTable> {
  const { name, size } = source;
  const corrupt = corruptParquet(name);
  const footer = await readParquetFooter(source);
  const idColumn = columnAt(footer, ['id', 'ids'], 0, name);
  const embeddingColumn = columnAt(footer, ['embedding', 'embeddings', 'emb'], 1, name);
  const limit = Math.max(2 * size, minLimit);
  const { dataBytes, rows, groups } = footer;
  const total = groups.reduce((sum, { chunks }) => sum + chunks[embeddingColumn]!.values, 0);
  const cols = rows === 0 ? 0 : total / rows;
  if (!Number.isInteger(cols))
    throw new InputError(`${name}: its lists differ in length. Give every row the same number of values.`);
  if (4 * Math.max(total, rows) > limit) {
    throw corrupt(`its ${rows} rows with ${total} numbers would decompress to more than ${limit} bytes`);
  }
  for (const column of [idColumn, embeddingColumn]) {
    // Row groups could share their bytes, which would then be read again and again.
    const bytes = groups.reduce((sum, { chunks }) => sum + chunks[column]!.bytes, 0);
    if (bytes > dataBytes) {
      throw corrupt(`column ${footer.columns[column]!.path[0]} claims ${bytes} of ${dataBytes} bytes`);
    }
  }

  const read = async (
    group: number,
    column: number,
    width: number,
    budget: { left: number },
    options: CallOptions = {},
  ) => {
    const chunk = groups[group]!.chunks[column]!;
    if (chunk.values !== groups[group]!.rows * width)
      throw corrupt(`row group ${group} has ${chunk.values} values for ${groups[group]!.rows} rows`);
    const bytes = await source.read(chunk.offset, chunk.bytes, options);
    return readColumnChunk(bytes, footer.columns[column]!, chunk, { width, limit, budget, name });
  };
  const readNumbers = (group: number, options: CallOptions) => {
    const { values } = groups[group]!.chunks[embeddingColumn]!;
    const budget = { left: maxBytesPerNumber * (1 + values) };
    return read(group, embeddingColumn, cols, budget, options) as Promise<Float32Array[]>;
  };
  const ids: (string | number | bigint)[] = [];
  const idBudget = { left: limit };
  for (let group = 0; group < groups.length; group++) {
    for (const page of await read(group, idColumn, 1, idBudget)) for (const id of page) ids.push(id);
  }
  const found = toIds(ids, name);
  checkStoredIds(found.ids, rows, name);
  const notes = Object.entries(footer.metadata).filter(([key]) => !writerKeys.has(key));
  const { type, isFloat16 } = footer.columns[embeddingColumn]!;
  return {
    ...found,
    metadata: Object.fromEntries(notes),
    dtype: isFloat16 ? 'float16' : type === 'DOUBLE' ? 'float64' : 'float32',
    values: groupedRows(footer, cols, readNumbers),
  };
}

function columnAt({ columns }: ParquetFooter, names: readonly string[], repetition: 0 | 1, name: string): number {
  const fits = ({ path, type, isFloat16, maxRepetition }: ParquetColumn) =>
    names.includes(path[0]!) &&
    maxRepetition === repetition &&
    (repetition === 0
      ? path.length === 1 && ['BYTE_ARRAY', 'INT32', 'INT64'].includes(type)
      : ['FLOAT', 'DOUBLE'].includes(type) || isFloat16);
  const index = columns.findIndex(fits);
  if (index >= 0 && columns.findLastIndex(fits) === index) return index;
  const seen = columns.map(({ path, type }) => `${path.join('.')} (${type})`).slice(0, 20);
  throw new InputError(
    `${name} needs a column id of strings or integers and a column embedding of lists of floats; it has ${seen.join(', ') || 'none'}.`,
  );
}

/** Rows of row groups. A group is decoded as a whole; the last one is kept for the next block. */
function groupedRows(
  { rows, groups }: ParquetFooter,
  cols: number,
  decode: (group: number, options: CallOptions) => Promise<Float32Array[]>,
): RowSource {
  let kept: { readonly group: number; readonly pages: Float32Array[] } | undefined;
  return {
    rows,
    cols,
    async read(start, end, options = {}) {
      options.signal?.throwIfAborted();
      checkRows(start, end, rows);
      const data = new Float32Array((end - start) * cols);
      let first = 0;
      for (const [group, { rows: groupRows }] of groups.entries()) {
        if (first < end && first + groupRows > start) {
          const pages = kept?.group === group ? kept.pages : await decode(group, options);
          kept = { group, pages };
          let offset = (first - start) * cols; // of the page, in elements of `data`
          for (const page of pages) {
            const from = Math.max(0, -offset);
            const to = Math.min(page.length, data.length - offset);
            if (to > from) data.set(page.subarray(from, to), offset + from);
            offset += page.length;
          }
        }
        first += groupRows;
      }
      return { data, rows: end - start, cols };
    },
  };
}

/**
 * Writes the columns `id` and `embedding`, a list of FLOAT, and the metadata as the file's key-value pairs.
 * @throws InvalidArgumentError for embeddings without columns, or an id that UTF-8 cannot represent.
 */
export async function writeParquetEmbeddings(path: string, table: WritableTable, options: WriteOptions): Promise<void> {
  const { ids, integerIds, metadata, values } = table;
  if (values.cols === 0)
    throw new InvalidArgumentError('.parquet cannot store embeddings without columns; write .safetensors');
  for (const text of [...(integerIds ? [] : ids), ...Object.entries(metadata).flat()]) checkText(text);
  async function* chunks() {
    const writer = new ByteWriter();
    const taken = () => {
      const bytes = new Uint8Array(writer.getBytes());
      writer.index = 0; // as the library's own file writer does
      return bytes;
    };
    const kvMetadata = Object.entries(metadata)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value }));
    const parquet = new ParquetWriter({
      writer,
      kvMetadata,
      createdBy: 'rarefy',
      statistics: false,
      schema: [
        { name: 'root', num_children: 2 },
        integerIds
          ? { name: 'id', type: 'INT64', repetition_type: 'REQUIRED' }
          : { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
        { name: 'embedding', num_children: 1, converted_type: 'LIST', repetition_type: 'REQUIRED' },
        { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
        { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
      ],
    });
    const { cols } = values;
    for await (const { start, data } of encodedBlocks(table, options)) {
      const rows = data.length / cols;
      const block = ids.slice(start, start + rows);
      await parquet.write({
        rowGroupSize: rows,
        columnData: [
          { name: 'id', data: integerIds ? block.map(BigInt) : block, encoding: 'PLAIN' },
          {
            name: 'embedding',
            data: Array.from({ length: rows }, (_, row) => Array.from(data.subarray(row * cols, (row + 1) * cols))),
            encoding: 'PLAIN',
            codec: 'UNCOMPRESSED',
          },
        ],
      });
      yield taken();
    }
    await parquet.finish();
    yield taken();
  }
  await writeAtomically(path, chunks(), options);
}
