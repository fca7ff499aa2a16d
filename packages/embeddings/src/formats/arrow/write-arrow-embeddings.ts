import { importPeer } from '@rarefy/core';
import { type WriteOptions, writeAtomically } from '@rarefy/io';
import { checkText } from '../../table/unicode-text.js';
import { encodedBlocks, type WritableTable } from '../../table/writable-table.js';

/** @throws MissingDependencyError with the line that installs it. */
export function importArrow(): Promise<typeof import('apache-arrow')> {
  return importPeer({ name: 'apache-arrow', range: '^21.0.0', load: () => import('apache-arrow') });
}

/**
 * An Arrow file: column `id`, Utf8 or Int64, column `embedding`, FixedSizeList of Float32 or Float16, and the schema's metadata.
 * @throws MissingDependencyError without apache-arrow; InvalidArgumentError for an id that UTF-8 cannot hold.
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
    /** What the writer has made so far. */
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
