import { CorruptFileError } from '@rarefy/core';
import { memorySource } from '@rarefy/io';
import { expect, test } from 'vitest';
import { arrowDecoder } from './arrow-decoder.js';
import { openArrowEmbeddings } from './arrow-embeddings.js';

/** Writes tables whose offsets may lead to one place many times, as no writer does. */
function flatBytes() {
  const view = new DataView(new ArrayBuffer(2 ** 20));
  let end = 4; // after the offset of the root
  const take = (bytes: number) => {
    const at = end;
    end = Math.ceil((at + bytes) / 4) * 4;
    return at;
  };
  return {
    view,
    link: (from: number, to: number) => view.setUint32(from, to - from, true),
    /** A table that has the given fields. @returns its place, and that of each field, of 4 bytes */
    table(...fields: number[]) {
      const slots = Math.max(...fields) + 1;
      const vtable = take(4 + 2 * slots);
      view.setUint16(vtable, 4 + 2 * slots, true);
      view.setUint16(vtable + 2, 4 + 4 * fields.length, true);
      fields.forEach((field, index) => {
        view.setUint16(vtable + 4 + 2 * field, 4 + 4 * index, true);
      });
      const at = take(4 + 4 * fields.length);
      view.setInt32(at, at - vtable, true);
      return { at, field: (field: number) => at + 4 + 4 * fields.indexOf(field) };
    },
    vector(length: number, bytesEach: number): number {
      const at = take(4 + length * bytesEach);
      view.setUint32(at, length, true);
      return at;
    },
    bytes: () => new Uint8Array(view.buffer).slice(0, Math.ceil(end / 8) * 8),
  };
}

type Flat = ReturnType<typeof flatBytes>;

/** A stream of a schema alone, which `fill` gives its fields (1) and notes (2). */
function streamOf(fill: (flat: Flat, schema: ReturnType<Flat['table']>) => void): Uint8Array {
  const flat = flatBytes();
  const message = flat.table(1, 2);
  flat.link(0, message.at);
  flat.view.setUint8(message.field(1), 1); // its header is a schema
  const schema = flat.table(1, 2);
  flat.link(message.field(2), schema.at);
  fill(flat, schema);
  const bytes = flat.bytes();
  const head = Buffer.from(Int32Array.of(-1, bytes.length).buffer);
  return new Uint8Array(Buffer.concat([head, bytes, Buffer.from(Int32Array.of(-1, 0).buffer)]));
}

const children = 30;
const notes = 50_000;

test.each([
  [
    'columns in columns in columns, all those of a column one and the same',
    streamOf((flat, schema) => {
      let parent = schema.field(1);
      for (let depth = 0; depth < 15; depth++) {
        const list = flat.vector(children, 4);
        flat.link(parent, list);
        const column = flat.table(2, 5);
        for (let child = 0; child < children; child++) flat.link(list + 4 + 4 * child, column.at);
        flat.view.setUint8(column.field(2), 13); // a struct
        parent = column.field(5);
      }
      const none = flat.vector(0, 4);
      flat.link(parent, none);
      flat.link(schema.field(2), none);
    }),
  ],
  [
    'notes that are one and the same long text',
    streamOf((flat, schema) => {
      const list = flat.vector(notes, 4);
      flat.link(schema.field(2), list);
      const note = flat.table(0, 1);
      for (let index = 0; index < notes; index++) flat.link(list + 4 + 4 * index, note.at);
      const text = flat.vector(400_000, 1);
      for (const field of [0, 1]) flat.link(note.field(field), text);
      const columns = flat.vector(2, 4);
      flat.link(schema.field(1), columns);
      const [ids, rows, numbers] = [flat.table(0, 2), flat.table(0, 2, 5), flat.table(2, 3)];
      [ids, rows].forEach((column, index) => {
        flat.link(columns + 4 + 4 * index, column.at);
      });
      for (const [column, type, name] of [
        [ids, 5, 'id'], // of texts
        [rows, 12, 'emb'], // of lists
      ] as const) {
        const title = flat.vector(name.length, 1);
        for (const [index, letter] of [...name].entries()) flat.view.setUint8(title + 4 + index, letter.charCodeAt(0));
        flat.link(column.field(0), title);
        flat.view.setUint8(column.field(2), type);
      }
      const items = flat.vector(1, 4);
      flat.link(rows.field(5), items);
      flat.link(items + 4, numbers.at);
      flat.view.setUint8(numbers.field(2), 3); // floats
      const single = flat.table(0);
      flat.link(numbers.field(3), single.at);
      flat.view.setInt16(single.field(0), 1, true);
    }),
  ],
])('the worker is terminated at its limits: %s', { timeout: 60_000 }, async (_, stream) => {
  await using decoder = arrowDecoder('x.arrow', stream.length, 2_000);
  const reading = openArrowEmbeddings(memorySource(stream, 'x.arrow'), {}, decoder);
  const error: unknown = await reading.catch((thrown) => thrown);
  expect(CorruptFileError.isInstance(error), String(error)).toBe(true);
  expect(String(error)).toMatch(/took more than 2 s|memory limit/);
});
