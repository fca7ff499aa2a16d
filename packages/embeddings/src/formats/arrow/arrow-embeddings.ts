import { type CallOptions, CorruptFileError, InputError, type RowSource } from '@rarefy/core';
import { type ByteSource, checkRows, elementBytes } from '@rarefy/io';
import { embeddingDtype } from '../../table/embedding-dtype.js';
import { checkStoredIds, toIds } from '../../table/embedding-ids.js';
import type { EmbeddingTable } from '../../table/embedding-table.js';
import { matrixRows } from '../../table/stored-matrix.js';
import { type ArrowSchema, arrowSchema } from './arrow-schema.js';
import { type FlatTable, flatbuffer, outOfRange } from './flatbuffer.js';

const maxMessageBytes = 2 ** 26;
const footerEndBytes = 10; // its length, and ARROW1

/** A batch: its rows, and the place and length of each buffer in the file. */
interface Batch {
  readonly rows: number;
  readonly nodes: readonly (readonly number[])[];
  readonly buffers: readonly { readonly position: number; readonly length: number }[];
}

/**
 * An Arrow file or stream with a column `id` of texts or integers, and a column `embedding` of lists of floats, of fixed size or all of
 * one length. The messages and ids are read; rows when asked for. Format: https://arrow.apache.org/docs/format/Columnar.html
 * @throws InputError for other columns, compressed or dictionary batches, or missing values; CorruptFileError naming what is wrong.
 */
export async function openArrowEmbeddings(source: ByteSource): Promise<EmbeddingTable> {
  const { name } = source;
  try {
    return await openBatches(source);
  } catch (error) {
    if (error === outOfRange) throw corruptArrow(name, 'a message points outside of itself');
    throw error;
  }
}

async function openBatches(source: ByteSource): Promise<EmbeddingTable> {
  const { name } = source;
  let schema: ArrowSchema | undefined;
  const ids: (string | number | bigint)[] = [];
  const parts: RowSource[] = [];
  for await (const { type, header, body, bodyBytes } of messages(source)) {
    if (type === 1 && !schema) schema = arrowSchema(header, name);
    else if (type === 3 && schema) {
      const batch = toBatch(header, body, bodyBytes, name);
      for (const id of await idsOf(source, schema, batch)) ids.push(id);
      parts.push(await rowsOf(source, schema, batch));
    } else
      throw new InputError(
        `${name} has ${type === 2 ? 'a dictionary' : `a message of type ${type}`}, which is not read. Write plain columns.`,
      );
  }
  if (!schema) throw corruptArrow(name, 'it has no schema');
  const cols = parts.find(({ rows }) => rows > 0)?.cols ?? schema.embeddings.cols;
  if (parts.some((part) => part.rows > 0 && part.cols !== cols)) throw unequalLists(name);
  const found = toIds(ids, name);
  const values = joinedRows(parts, cols);
  checkStoredIds(found.ids, values.rows, name);
  return { ...found, metadata: schema.metadata, dtype: embeddingDtype(schema.embeddings.dtype)!, values };
}

interface Message {
  readonly type: number;
  readonly header: FlatTable;
  /** Position of its body. */
  readonly body: number;
  readonly bodyBytes: number;
}

/** The schema and batches of a stream, or of a file, whose footer has the schema and says where the batches are. */
async function* messages(source: ByteSource): AsyncGenerator<Message> {
  const { name, size } = source;
  const first = Buffer.from(await source.read(0, Math.min(8, size))).toString('latin1');
  if (!first.startsWith('ARROW1')) {
    for (let at = 0; ; ) {
      const message = await messageAt(source, at);
      if (!message) return;
      yield message;
      at = message.body + message.bodyBytes;
    }
  }
  if (size < 8 + footerEndBytes) throw corruptArrow(name, `it has ${size} bytes`);
  const end = Buffer.from(await source.read(size - footerEndBytes, footerEndBytes));
  const length = end.readUInt32LE(0);
  if (end.toString('latin1', 4) !== 'ARROW1')
    throw corruptArrow(name, 'it does not end as it begins; it may be cut off');
  if (length > Math.min(maxMessageBytes, size - footerEndBytes - 8))
    throw corruptArrow(name, `its footer is said to be ${length} bytes`);
  const footer = flatbuffer(await source.read(size - footerEndBytes - length, length));
  const schema = footer.table(1);
  if (!schema) throw corruptArrow(name, 'it has no schema');
  yield { type: 1, header: schema, body: 0, bodyBytes: 0 };
  let free = 8; // first byte that no batch has taken
  for (const [offset] of footer.structs(3, 3)) {
    const message = offset! >= free ? await messageAt(source, offset!) : undefined;
    if (!message) throw corruptArrow(name, `it has no batch at byte ${offset}, or two that overlap`);
    yield message;
    free = message.body + message.bodyBytes;
  }
  const footerStart = size - footerEndBytes - length;
  for (let rest = await nextBefore(source, free, footerStart); rest; ) {
    if (rest.type === 3) throw corruptArrow(name, 'it has batches that its footer does not list');
    rest = await nextBefore(source, rest.body + rest.bodyBytes, footerStart);
  }
}

/** The message that begins at a place, if one does before the footer. */
async function nextBefore(source: ByteSource, at: number, footerStart: number): Promise<Message | undefined> {
  if (at + 8 > footerStart || Buffer.from(await source.read(at, 4)).readInt32LE() !== -1) return undefined;
  return messageAt(source, at);
}

/** Undefined for the mark that ends a stream. */
async function messageAt(source: ByteSource, at: number): Promise<Message | undefined> {
  const { name, size } = source;
  if (at + 8 > size) throw corruptArrow(name, 'it ends before its last message; it may be cut off');
  const head = Buffer.from(await source.read(at, 8));
  if (head.readInt32LE(0) !== -1) throw corruptArrow(name, `it has no message at byte ${at}`);
  const length = head.readUInt32LE(4);
  if (length === 0) return undefined;
  const body = at + 8 + length;
  if (length > maxMessageBytes || body > size) throw corruptArrow(name, `a message is said to be ${length} bytes`);
  const message = flatbuffer(await source.read(at + 8, length));
  const bodyBytes = message.int64(3);
  const header = message.table(2);
  if (!header || body + bodyBytes > size) throw corruptArrow(name, 'a batch reaches past its end; it may be cut off');
  return { type: message.uint8(1), header, body, bodyBytes };
}

function toBatch(header: FlatTable, body: number, bodyBytes: number, name: string): Batch {
  if (header.table(3))
    throw new InputError(`${name} is compressed, which is not read. Write it with compression 'uncompressed'.`);
  const buffers = header.structs(2, 2).map(([offset, length]) => {
    if (offset! + length! > bodyBytes) throw corruptArrow(name, 'a buffer reaches past its batch');
    return { position: body + offset!, length: length! };
  });
  return { rows: header.int64(0), nodes: header.structs(1, 2), buffers };
}

async function idsOf(source: ByteSource, { ids }: ArrowSchema, batch: Batch): Promise<(string | number | bigint)[]> {
  const { rows } = batch;
  const { type, node, buffer } = ids;
  checkColumn(batch, node, 'id', source.name);
  if (rows === 0) return [];
  if (type === 'I32' || type === 'I64') {
    const { buffer: values } = await readBuffer(source, batch, buffer + 1, rows * elementBytes[type]);
    return [...(type === 'I32' ? new Int32Array(values) : new BigInt64Array(values))];
  }
  const offsets = await readOffsets(source, batch, buffer + 1, rows, type === 'LargeUtf8');
  const { length } = bufferAt(batch, buffer + 2, source.name);
  const texts = await readBuffer(source, batch, buffer + 2, Math.min(length, Math.max(0, ...offsets.slice(-1))));
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // an id may begin with U+FEFF
  return Array.from({ length: rows }, (_, row) => {
    const [from, to] = [offsets[row]!, offsets[row + 1]!];
    if (from > to || to > texts.length) throw corruptArrow(source.name, `the id of row ${row} reaches past its column`);
    try {
      return decoder.decode(texts.subarray(from, to));
    } catch {
      throw corruptArrow(source.name, `the id of row ${row} is not UTF-8`);
    }
  });
}

async function rowsOf(source: ByteSource, { embeddings }: ArrowSchema, batch: Batch): Promise<RowSource> {
  const { name } = source;
  const { rows } = batch;
  const { list, node, buffer, dtype } = embeddings;
  checkColumn(batch, node, 'embedding', name);
  let { cols } = embeddings;
  let first = 0;
  let data = buffer + 2; // after the validity of the lists, and that of the numbers
  if (list !== 'FixedSizeList') {
    data = buffer + 3;
    const offsets = rows === 0 ? [0] : await readOffsets(source, batch, buffer + 1, rows, list === 'LargeList');
    first = offsets[0]!;
    cols = rows === 0 ? 0 : offsets[1]! - first;
    if (offsets.some((offset, row) => offset !== first + row * cols)) throw unequalLists(name);
  }
  checkNode(batch, node + 1, first + rows * cols, 'embedding', name);
  const { position, length } = bufferAt(batch, data, name);
  if ((first + rows * cols) * elementBytes[dtype] > length)
    throw corruptArrow(name, `a batch holds fewer numbers than its ${rows} x ${cols}`);
  return matrixRows(source, {
    dtype,
    rows,
    cols,
    position: position + first * elementBytes[dtype],
    rowStride: cols,
    colStride: 1,
  });
}

/** A column is exactly as long as its batch. */
function checkColumn(batch: Batch, node: number, column: string, name: string): void {
  checkNode(batch, node, batch.rows, column, name);
  if (batch.nodes[node]![0] !== batch.rows) throw corruptArrow(name, `column ${column} is longer than its batch`);
}

function checkNode(batch: Batch, index: number, atLeast: number, column: string, name: string): void {
  const [length, missing] = batch.nodes[index] ?? [];
  if (length === undefined || missing === undefined || length < atLeast)
    throw corruptArrow(name, `column ${column} is shorter than its batch`);
  if (missing > 0)
    throw new InputError(
      `${name}: column ${column} has ${missing} missing values. Give every row all of its numbers and an id.`,
    );
}

function bufferAt({ buffers }: Batch, index: number, name: string): { position: number; length: number } {
  const buffer = buffers[index];
  if (!buffer) throw corruptArrow(name, `a batch has ${buffers.length} buffers and needs more`);
  return buffer;
}

async function readBuffer(
  source: ByteSource,
  batch: Batch,
  index: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { position, length } = bufferAt(batch, index, source.name);
  if (bytes > length) throw corruptArrow(source.name, `a buffer has ${length} bytes and ${bytes} are needed`);
  return (await source.read(position, bytes)) as Uint8Array<ArrayBuffer>;
}

async function readOffsets(
  source: ByteSource,
  batch: Batch,
  index: number,
  rows: number,
  isLarge: boolean,
): Promise<number[]> {
  const { buffer } = await readBuffer(source, batch, index, (rows + 1) * (isLarge ? 8 : 4));
  return Array.from<number | bigint, number>(isLarge ? new BigInt64Array(buffer) : new Int32Array(buffer), Number);
}

/** Batches one after the other. */
function joinedRows(parts: readonly RowSource[], cols: number): RowSource {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  return {
    rows,
    cols,
    async read(start, end, options: CallOptions = {}) {
      options.signal?.throwIfAborted();
      checkRows(start, end, rows);
      const data = new Float32Array((end - start) * cols);
      let first = 0;
      for (const part of parts) {
        const [from, to] = [Math.max(0, start - first), Math.min(part.rows, end - first)];
        if (to > from) data.set((await part.read(from, to, options)).data, (first + from - start) * cols);
        first += part.rows;
      }
      return { data, rows: end - start, cols };
    },
  };
}

function corruptArrow(name: string, what: string): CorruptFileError {
  return new CorruptFileError(`${name} is no sound Arrow file: ${what}. Copy or write it again.`);
}

function unequalLists(name: string): InputError {
  return new InputError(`${name}: the lists of column embedding differ in length. Give every row as many numbers.`);
}
