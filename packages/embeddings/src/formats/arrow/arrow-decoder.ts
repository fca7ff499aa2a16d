import { CorruptFileError, importPeer } from '@rarefy/core';
import { type GuardedWorker, guardedWorker, libraryUrl, type Served } from '@rarefy/io';

type Arrow = typeof import('apache-arrow');
type DataType = import('apache-arrow').DataType;

/** Time limit: a fixed part, and a part that grows with the file. */
const fixedMs = 10_000;
const msPerMegabyte = 100;
/** Limit of the worker's heap, which holds the ids as strings; the numbers are in array buffers. */
const fixedHeapMegabytes = 128;
const heapPerFileMegabyte = 4;
const maxHeapMegabytes = 4096;

/** The content of a file, or why there is none: `unsupported` if the file may be valid, `corrupt` if it is not. */
export type DecodedArrow =
  | {
      readonly ids: readonly (string | number | bigint)[];
      readonly dtype: 'F16' | 'F32' | 'F64';
      readonly rows: number;
      readonly cols: number;
      /** rows x cols elements of `dtype`. */
      readonly bytes: Uint8Array;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | Problem;

type Problem = { readonly unsupported: string } | { readonly corrupt: string };

/** The two columns of a schema. */
interface Columns {
  readonly fields: readonly import('apache-arrow').Field[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly idIndex: number;
  readonly listIndex: number;
  readonly list: DataType;
  readonly dtype: 'F16' | 'F32' | 'F64';
}

/** A file or stream in memory, and where its messages are: all of a stream; in a file, from the magic to the footer. */
export interface EncodedArrow {
  readonly bytes: Uint8Array;
  readonly messages: { readonly start: number; readonly end: number };
}

/** Decodes one file or stream per request. */
export type ArrowDecoder = GuardedWorker<EncodedArrow, DecodedArrow>;

/** @throws MissingDependencyError with the install line. */
export function importArrow(): Promise<Arrow> {
  return importPeer({ name: 'apache-arrow', range: '^21.0.0', load: () => import('apache-arrow') });
}

/** A worker with apache-arrow, with limits for files of up to `fileBytes` bytes. */
export function arrowDecoder(name: string, fileBytes: number, timeMs?: number): ArrowDecoder {
  const megabytes = fileBytes / 2 ** 20;
  return guardedWorker(serveArrow, {
    library: libraryUrl('apache-arrow', import.meta.url),
    data: undefined,
    timeMs: timeMs ?? fixedMs + msPerMegabyte * megabytes,
    heapMegabytes: Math.min(maxHeapMegabytes, Math.ceil(fixedHeapMegabytes + heapPerFileMegabyte * megabytes)),
    toError: (reason) => corruptArrow(name, reason),
  });
}

export function corruptArrow(name: string, reason: string): CorruptFileError {
  return new CorruptFileError(`${name} is not a valid Arrow file: ${reason}. Copy or write it again.`);
}

/** Runs in the worker. Format: https://arrow.apache.org/docs/format/Columnar.html */
async function serveArrow(arrow: Arrow): Promise<(request: EncodedArrow) => Served<DecodedArrow>> {
  const { DataType } = arrow;
  // The library decodes metadata with a TextDecoder that drops a leading U+FEFF; this thread has no other use of it.
  globalThis.TextDecoder = class extends TextDecoder {
    constructor(label?: string, options?: ConstructorParameters<typeof TextDecoder>[1]) {
      super(label, { ...options, ignoreBOM: true });
    }
  } as typeof TextDecoder;
  const dtypes = ['F16', 'F32', 'F64'] as const; // in the order of Arrow's precisions
  const unequal = 'has lists of different lengths in column embedding. Give every row the same number of values.';

  return (request) => {
    const stream = streamIn(request);
    const columns = checkedColumns(stream, request.bytes.length);
    if (!('fields' in columns)) return { answer: columns };
    const reader = arrow.RecordBatchReader.from(stream);
    const ids: (string | number | bigint)[] = [];
    const parts: Uint8Array[] = [];
    let cols = DataType.isFixedSizeList(columns.list) ? columns.list.listSize : undefined;
    for (const batch of reader) {
      const rows = batch.numRows;
      if (rows === 0) continue;
      const lists = batch.data.children[columns.listIndex]!;
      const numbers = lists.children[0]!;
      const offsets: ArrayLike<number | bigint> | undefined = DataType.isFixedSizeList(columns.list)
        ? undefined
        : lists.valueOffsets;
      const start = offsets ? Number(offsets[0]) : 0;
      cols ??= Number(offsets![1]) - start;
      for (let row = 0; offsets && row <= rows; row++) {
        if (Number(offsets[row]) !== start + row * cols) return { answer: { unsupported: unequal } };
      }
      const end = start + rows * cols;
      const values: Float32Array | Float64Array | Uint16Array = numbers.values;
      if (!(start >= 0 && end >= start && end <= Math.min(numbers.length, values.length))) {
        return { answer: { corrupt: `a batch has fewer numbers than its ${rows} rows of ${cols} need` } };
      }
      const used = values.subarray(start, end);
      parts.push(new Uint8Array(used.buffer, used.byteOffset, used.byteLength));
      for (const id of idsOf(batch.data.children[columns.idIndex]!, rows)) ids.push(id);
    }
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let done = 0;
    for (const part of parts) {
      bytes.set(part, done);
      done += part.length;
    }
    const { dtype, metadata } = columns;
    const answer = { ids, dtype, rows: ids.length, cols: cols ?? 0, bytes, metadata: Object.fromEntries(metadata) };
    return { answer, transfer: [bytes.buffer] };
  };

  /** The messages as a stream. A file written by apache-arrow has its schema only in the footer. */
  function streamIn({ bytes, messages: { start, end } }: EncodedArrow): Uint8Array[] {
    const messages = bytes.subarray(start, end);
    const first: { isSchema(): boolean } | undefined = new arrow.MessageReader(messages).next().value;
    if (start === 0 || first?.isSchema()) return [messages];
    const writer = new arrow.RecordBatchStreamWriter();
    writer.reset(undefined, arrow.RecordBatchReader.from(bytes).open().schema);
    writer.finish();
    const schema = writer.toUint8Array(true);
    return [schema.subarray(0, schema.length - 8), messages]; // without the end-of-stream marker
  }

  /**
   * Finds the columns, and compares every declared length with the bytes that are there: the library allocates what is declared.
   */
  function checkedColumns(stream: Uint8Array[], fileBytes: number): Columns | Problem {
    const messages = new arrow.MessageReader(stream);
    let columns: Columns | undefined;
    for (const message of messages) {
      if (!columns && message.isSchema()) {
        const found = columnsIn(message.header());
        if (!('fields' in found)) return found;
        columns = found;
        continue;
      }
      if (!columns || !message.isRecordBatch()) {
        return {
          unsupported: `has a message of type ${message.headerType}, which is not supported. Write plain columns.`,
        };
      }
      const body = messages.readMessageBody(message.bodyLength);
      const { length, nodes, buffers, compression } = message.header();
      if (compression) {
        return { unsupported: "is compressed, which is not supported. Write it with compression 'uncompressed'." };
      }
      for (const buffer of buffers) {
        if (buffer.offset >= 0 && buffer.length >= 0 && buffer.offset + buffer.length <= body.length) continue;
        return { corrupt: 'a buffer reaches past its batch' };
      }
      if (!nodes.every((node) => node.length >= 0 && node.length <= 8 * fileBytes)) {
        return { corrupt: 'a column claims more values than the file has bits' };
      }
      let first = 0; // node of the column, which precedes those of its children
      for (const [index, { name, type }] of columns.fields.entries()) {
        const end = first + nodesOf(type);
        if (nodes[first]?.length !== length) return { corrupt: `column ${name} is not as long as its batch` };
        const isUsed = index === columns.idIndex || index === columns.listIndex;
        if (isUsed && nodes.slice(first, end).some((node) => node.nullCount !== 0)) {
          return { unsupported: `has missing values in column ${name}. Give every row an id and all of its numbers.` };
        }
        first = end;
      }
    }
    return columns ?? { corrupt: 'it has no schema' };
  }

  function columnsIn({ fields, metadata }: import('apache-arrow').Schema): Columns | Problem {
    const idIndex = fields.findIndex(({ name, type }) => ['id', 'ids'].includes(name) && isIdType(type));
    const listIndex = fields.findIndex(
      ({ name, type }) => ['embedding', 'embeddings', 'emb'].includes(name) && isListType(type),
    );
    if (idIndex < 0 || listIndex < 0) {
      const seen = fields.slice(0, 20).map(({ name, type }) => `${name} (${type})`);
      return {
        unsupported: `needs a column id of strings or integers and a column embedding of lists of floats; it has ${seen.join(', ') || 'none'}.`,
      };
    }
    const list = fields[listIndex]!.type;
    const dtype = dtypes[(list.children[0]!.type as import('apache-arrow').Float).precision]!;
    return { fields, metadata, idIndex, listIndex, list, dtype };
  }

  function isIdType(type: DataType): boolean {
    if (DataType.isInt(type)) return type.isSigned && type.bitWidth >= 32;
    return DataType.isUtf8(type) || DataType.isLargeUtf8(type);
  }

  function isListType(type: DataType): boolean {
    const isList = DataType.isFixedSizeList(type) || DataType.isList(type) || DataType.isLargeList(type);
    return isList && DataType.isFloat(type.children[0]!.type);
  }

  function nodesOf(type: DataType): number {
    if (DataType.isDictionary(type)) return 1;
    return (type.children ?? []).reduce((sum, child) => sum + nodesOf(child.type), 1);
  }

  function idsOf(
    { type, values, valueOffsets }: import('apache-arrow').Data,
    rows: number,
  ): Iterable<string | number | bigint> {
    if (DataType.isInt(type)) {
      if (values.length < rows) throw new RangeError('column id is shorter than its batch');
      return values.subarray(0, rows);
    }
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // an id may begin with U+FEFF
    return Array.from({ length: rows }, (_, row) => {
      const [start, end] = [Number(valueOffsets[row]), Number(valueOffsets[row + 1])];
      if (!(start >= 0 && start <= end && end <= values.length)) {
        throw new RangeError(`the id of row ${row} reaches past its column`);
      }
      return decoder.decode(values.subarray(start, end));
    });
  }
}
