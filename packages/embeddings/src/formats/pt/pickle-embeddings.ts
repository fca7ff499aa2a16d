import { checkText, type EmbeddingIds } from '../../table/ids.js';

const batch = 1000; // items per APPENDS, as in Python's pickler
const storageTypes = { float32: 'FloatStorage', float16: 'HalfStorage', bfloat16: 'BFloat16Storage' } as const;

/** What is pickled. The tensor's numbers are stored beside the pickle, as storage 0. */
export interface EmbeddingsToPickle extends EmbeddingIds {
  readonly metadata: Readonly<Record<string, string>>;
  readonly dtype: keyof typeof storageTypes;
  readonly rows: number;
  readonly cols: number;
}

/**
 * The pickle of `{'ids': [...], 'emb': tensor, 'metadata': {...}}`, protocol 2, for torch.load with weights_only=True. Empty
 * metadata is omitted.
 * @throws InvalidArgumentError for an id or a metadata string that UTF-8 cannot represent.
 */
export function pickleEmbeddings({ ids, integerIds, metadata, dtype, rows, cols }: EmbeddingsToPickle): Uint8Array {
  const parts: Uint8Array[] = [];
  const op = (...bytes: number[]) => parts.push(Uint8Array.from(bytes));
  const global = (module: string, name: string) => parts.push(Buffer.from(`c${module}\n${name}\n`));
  op(0x80, 2, 0x7d, 0x28); // PROTO 2, EMPTY_DICT, MARK
  parts.push(text('ids'));
  op(0x5d); // EMPTY_LIST
  for (let start = 0; start < ids.length; start += batch) {
    op(0x28); // MARK
    for (const id of ids.slice(start, start + batch)) parts.push(integerIds ? integer(BigInt(id)) : text(id));
    op(0x65); // APPENDS
  }
  parts.push(text('emb'));
  global('torch._utils', '_rebuild_tensor_v2');
  op(0x28, 0x28); // MARK, MARK
  parts.push(text('storage'));
  global('torch', storageTypes[dtype]);
  parts.push(text('0'), text('cpu'), integer(BigInt(rows * cols)));
  op(0x74, 0x51, 0x4b, 0); // TUPLE, BINPERSID, BININT1 0
  parts.push(integer(BigInt(rows)), integer(BigInt(cols)));
  op(0x86); // TUPLE2
  parts.push(integer(BigInt(cols)), integer(1n));
  op(0x86, 0x89); // TUPLE2, NEWFALSE
  global('collections', 'OrderedDict');
  op(0x29, 0x52, 0x74, 0x52); // EMPTY_TUPLE, REDUCE, TUPLE, REDUCE
  const notes = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (notes.length > 0) {
    parts.push(text('metadata'));
    op(0x7d, 0x28); // EMPTY_DICT, MARK
    for (const [key, value] of notes) parts.push(text(key), text(value));
    op(0x75); // SETITEMS
  }
  op(0x75, 0x2e); // SETITEMS, STOP
  return new Uint8Array(Buffer.concat(parts));
}

function text(value: string): Uint8Array {
  checkText(value);
  const bytes = Buffer.from(value);
  const head = Buffer.alloc(5);
  head[0] = 0x58; // BINUNICODE
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function integer(value: bigint): Uint8Array {
  if (value >= 0 && value < 256) return Uint8Array.of(0x4b, Number(value)); // BININT1
  if (value === BigInt.asIntN(32, value)) {
    const bytes = Buffer.alloc(5);
    bytes[0] = 0x4a; // BININT
    bytes.writeInt32LE(Number(value), 1);
    return bytes;
  }
  const bytes = Buffer.alloc(10);
  bytes.set([0x8a, 8]); // LONG1
  bytes.writeBigInt64LE(value, 2);
  return bytes;
}
