import { type CallOptions, InputError, InvalidArgumentError, type RowSource } from '@rarefy/core';
import {
  type ByteSource,
  checkRows,
  corruptParquet,
  type ParquetColumn,
  type ParquetFooter,
  parseParquetFooter,
  type WriteOptions,
  writeAtomically,
} from '@rarefy/io';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { checkStoredIds, toIds } from '../../table/embedding-ids.js';
import type { EmbeddingTable } from '../../table/embedding-table.js';
import { checkText } from '../../table/unicode-text.js';
import { encodedBlocks, type WritableTable } from '../../table/writable-table.js';
import { readColumnChunk } from './column-chunk.js';

const maxFooterBytes = 2 ** 26;
const leastLimit = 2 ** 24;
const mostBytesPerNumber = 64; // unpacked, with its levels and its place in a dictionary; 8 and a few bits are usual
const ofWriters = new Set(['ARROW:schema', 'pandas']); // what pyarrow notes for itself

/**
 * A Parquet file with a column `id` of texts or integers, and a column `embedding` of lists of FLOAT, DOUBLE or FLOAT16, all of one
 * length. Rows are read a row group at a time. What the numbers unpack to is at most twice the file, or 16 MiB where that is more.
 * @throws InputError for other columns, encodings or codecs, or missing values; CorruptFileError naming what is wrong.
 */
export async function openParquetEmbeddings(source: ByteSource): Promise<EmbeddingTable> {
  const { name, size } = source;
  const corrupt = corruptParquet(name);
  if (size < 12) throw corrupt(`it has ${size} bytes`);
  const end = Buffer.from(await source.read(size - 8, 8));
  const footerBytes = end.readUInt32LE(0);
  if (end.toString('latin1', 4) !== 'PAR1') throw corrupt('it does not end with PAR1; it may be cut off');
  if (footerBytes > Math.min(size - 12, maxFooterBytes)) throw corrupt(`its footer is said to be ${footerBytes} bytes`);
  const start = size - 8 - footerBytes;
  const footer = parseParquetFooter(await source.read(start, footerBytes), start, name);
  const idAt = columnAt(footer, ['id', 'ids'], 0, name);
  const embeddingAt = columnAt(footer, ['embedding', 'embeddings', 'emb'], 1, name);
  const limit = Math.max(2 * size, leastLimit);
  const { rows, groups } = footer;
  const total = groups.reduce((sum, { chunks }) => sum + chunks[embeddingAt]!.values, 0);
  const cols = rows === 0 ? 0 : total / rows;
  if (!Number.isInteger(cols))
    throw new InputError(`${name}: its lists differ in length. Give every row as many numbers.`);
  if (4 * Math.max(total, rows) > limit) {
    throw corrupt(`its ${rows} rows with ${total} numbers would unpack to over ${limit} bytes`);
  }
  for (const at of [idAt, embeddingAt]) {
    // Row groups that share their bytes would be read again and again.
    const bytes = groups.reduce((sum, { chunks }) => sum + chunks[at]!.bytes, 0);
    if (bytes > start)
      throw corrupt(`column ${footer.columns[at]!.path[0]} is said to have ${bytes} of ${start} bytes`);
  }

  const read = async (
    group: number,
    at: number,
    width: number,
    budget: { left: number },
    options: CallOptions = {},
  ) => {
    const chunk = groups[group]!.chunks[at]!;
    if (chunk.values !== groups[group]!.rows * width)
      throw corrupt(`row group ${group} has ${chunk.values} values for ${groups[group]!.rows} rows`);
    const bytes = await source.read(chunk.position, chunk.bytes, options);
    return readColumnChunk(bytes, footer.columns[at]!, chunk, { width, limit, budget, name });
  };
  const readNumbers = (group: number, options: CallOptions) => {
    const { values } = groups[group]!.chunks[embeddingAt]!;
    const budget = { left: mostBytesPerNumber * (1 + values) };
    return read(group, embeddingAt, cols, budget, options) as Promise<Float32Array[]>;
  };
  const ids: (string | number | bigint)[] = [];
  const idBudget = { left: limit };
  for (let group = 0; group < groups.length; group++) {
    for (const page of await read(group, idAt, 1, idBudget)) for (const id of page) ids.push(id);
  }
  const found = toIds(ids, name);
  checkStoredIds(found.ids, rows, name);
  const notes = Object.entries(footer.metadata).filter(([key]) => !ofWriters.has(key));
  const { type, isFloat16 } = footer.columns[embeddingAt]!;
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
  const at = columns.findIndex(fits);
  if (at >= 0 && columns.findLastIndex(fits) === at) return at;
  const seen = columns.map(({ path, type }) => `${path.join('.')} (${type})`).slice(0, 20);
  throw new InputError(
    `${name} needs a column id of texts or integers and a column embedding of lists of floats; it has ${seen.join(', ') || 'none'}.`,
  );
}

/** Rows of groups that are decoded whole; the last one stays, for the block that comes next. */
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
          let at = (first - start) * cols; // where the page begins in `data`
          for (const page of pages) {
            const from = Math.max(0, -at);
            const to = Math.min(page.length, data.length - at);
            if (to > from) data.set(page.subarray(from, to), at + from);
            at += page.length;
          }
        }
        first += groupRows;
      }
      return { data, rows: end - start, cols };
    },
  };
}

/**
 * Columns `id` and `embedding`, a list of FLOAT, and the metadata as the file's key-value pairs.
 * @throws InvalidArgumentError for embeddings without columns, or an id that UTF-8 cannot hold.
 */
export async function writeParquetEmbeddings(path: string, table: WritableTable, options: WriteOptions): Promise<void> {
  const { ids, integerIds, metadata, values } = table;
  if (values.cols === 0)
    throw new InvalidArgumentError('.parquet cannot hold embeddings without columns; write .safetensors');
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
