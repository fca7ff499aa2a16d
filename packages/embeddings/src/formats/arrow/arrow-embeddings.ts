import { type CallOptions, InputError } from '@rarefy/core';
import { type ByteSource, elementBytes, memorySource, type WriteOptions, writeAtomically } from '@rarefy/io';
import { checkStoredIds, checkText, toIds } from '../../table/ids.js';
import { matrixRows } from '../../table/matrix-rows.js';
import { type EmbeddingTable, embeddingDtype, encodedBlocks, type WritableTable } from '../../table/table.js';
import { type ArrowDecoder, arrowDecoder, corruptArrow, type EncodedArrow, importArrow } from './arrow-decoder.js';

/** Largest file that is read, because it is read as a whole. */
const maxFileBytes = 2 ** 31;
const magic = 'ARROW1';
const streamStart = 8; // in a file, after the magic and its padding
const footerEndBytes = 10; // length of the footer, and the magic

/**
 * An Arrow file or stream, little-endian, with a column `id` of strings or integers, and a column `embedding` of lists of floats,
 * all of one length. The file is read into memory as a whole and may have at most 2 GiB. apache-arrow decodes it in a worker that
 * is terminated after 10 s plus 0.1 s per MiB, or when its heap exceeds 128 MiB plus 4 times the size of the file (at most 4
 * GiB). Before that, every declared length is compared with the bytes that are there.
 * @param decoder a worker to use instead of a new one
 * @throws MissingDependencyError without apache-arrow; InputError for other columns, compressed or dictionary batches, missing
 * values, or a file that is too large; CorruptFileError if the file is not valid; the signal's reason on abort.
 */
export async function openArrowEmbeddings(
  source: ByteSource,
  options: CallOptions = {},
  decoder?: ArrowDecoder,
): Promise<EmbeddingTable> {
  const { name, size } = source;
  await importArrow();
  if (size > maxFileBytes) {
    throw new InputError(
      `${name} has ${size} bytes; Arrow files of at most 2 GiB are supported. Write it as .parquet.`,
    );
  }
  const bytes = await source.read(0, size, options);
  const messages = messagesIn(bytes, name);
  await using own = decoder ? undefined : arrowDecoder(name, size);
  const found = await (decoder ?? own!).ask({ bytes, messages }, options, [bytes.buffer as ArrayBuffer]);
  if ('corrupt' in found) throw corruptArrow(name, found.corrupt);
  if ('unsupported' in found) throw new InputError(`${name} ${found.unsupported}`);
  const { dtype, rows, cols, metadata } = found;
  if (found.bytes.length !== rows * cols * elementBytes[dtype])
    throw corruptArrow(name, 'its columns differ in length');
  const { ids, integerIds } = toIds(found.ids, name);
  checkStoredIds(ids, rows, name);
  const location = { offset: 0, rowStride: cols, colStride: 1 };
  const values = matrixRows(memorySource(found.bytes, name), { dtype, rows, cols, ...location });
  return { ids, integerIds, metadata, dtype: embeddingDtype(dtype)!, values };
}

/** Where the messages of a file or stream are. Both must have their end marker. */
function messagesIn(bytes: Uint8Array, name: string): EncodedArrow['messages'] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = buffer;
  if (buffer.toString('latin1', 0, magic.length) !== magic) {
    const hasEnd = length >= 8 && buffer.readInt32LE(length - 8) === -1 && buffer.readInt32LE(length - 4) === 0;
    if (!hasEnd) throw corruptArrow(name, 'it does not end with an end-of-stream marker; it may be truncated');
    return { start: 0, end: length };
  }
  if (length < streamStart + footerEndBytes) throw corruptArrow(name, `it has ${length} bytes`);
  if (buffer.toString('latin1', length - magic.length) !== magic) {
    throw corruptArrow(name, `it does not end with ${magic}; it may be truncated`);
  }
  const footerBytes = buffer.readUInt32LE(length - footerEndBytes);
  const footerStart = length - footerEndBytes - footerBytes;
  if (footerStart < streamStart) throw corruptArrow(name, `its footer claims ${footerBytes} bytes`);
  return { start: streamStart, end: footerStart };
}

/**
 * Writes an Arrow file with a column `id`, Utf8 or Int64, a column `embedding`, FixedSizeList of Float32 or Float16, and the
 * metadata of the schema.
 * @throws MissingDependencyError without apache-arrow; InvalidArgumentError for an id that UTF-8 cannot represent.
 */
export async function writeArrowEmbeddings(path: string, table: WritableTable, options: WriteOptions): Promise<void> {
  const { ids, integerIds, metadata, dtype, values } = table;
  const arrow = await importArrow();
  for (const text of [...(integerIds ? [] : ids), ...Object.entries(metadata).flat()]) checkText(text);
  const number = dtype === 'float16' ? new arrow.Float16() : new arrow.Float32();
  const list = new arrow.FixedSizeList(values.cols, new arrow.Field('item', number, true));
  const idType = integerIds ? new arrow.Int64() : new arrow.Utf8();
  const notes = new Map(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
  const schema = new arrow.Schema(
    [new arrow.Field('id', idType, false), new arrow.Field('embedding', list, false)],
    notes,
  );

  async function* chunks() {
    const writer = new arrow.RecordBatchFileWriter();
    const written = writer[Symbol.asyncIterator]();
    let next = written.next();
    /** The chunks that the writer has ready. */
    async function* ready() {
      for (;;) {
        const chunk = await Promise.race([next, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
        if (!chunk || chunk.done) return;
        yield chunk.value as Uint8Array;
        next = written.next();
      }
    }
    writer.reset(undefined, schema);
    for await (const { start, data, bytes } of encodedBlocks(table, options)) {
      const rows = values.cols === 0 ? ids.length : data.length / values.cols;
      const block = ids.slice(start, start + rows);
      const numbers = dtype === 'float16' ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2) : data;
      const child = arrow.makeData({ type: number, data: numbers, length: numbers.length, nullCount: 0 } as never);
      const embedding = arrow.makeData({ type: list, child, length: rows, nullCount: 0 } as never);
      const id = integerIds
        ? arrow.makeData({
            type: new arrow.Int64(),
            data: BigInt64Array.from(block, BigInt),
            length: rows,
            nullCount: 0,
          })
        : arrow.vectorFromArray(block, new arrow.Utf8()).data[0]!;
      const struct = arrow.makeData({
        type: new arrow.Struct(schema.fields),
        children: [id, embedding] as never,
        length: rows,
        nullCount: 0,
      });
      writer.write(new arrow.RecordBatch(schema, struct as never));
      yield* ready();
    }
    writer.finish();
    for (let rest = await next; !rest.done; rest = await written.next()) yield rest.value as Uint8Array;
  }
  await writeAtomically(path, chunks(), options);
}
