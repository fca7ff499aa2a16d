import { CorruptFileError, InputError } from '@rarefy/core';
import {
  type ByteSource,
  elementBytes,
  nodeFileSystem,
  orFileError,
  type StoredDtype,
  type WriteOptions,
  writeAtomically,
} from '@rarefy/io';
import { checkStoredIds, encodeIds, parseIds } from '../table/ids.js';
import { matrixRows } from '../table/matrix-rows.js';
import { type EmbeddingTable, embeddingDtype, encodedBlocks, type WritableTable } from '../table/table.js';

/** The ids of `x.npy` are in `x.ids.json` beside it. */
export function idsPathOf(npyPath: string): string {
  return `${npyPath.replace(/\.npy$/i, '')}.ids.json`;
}

/** @throws InputError unless it is a floating-point matrix; CorruptFileError if file or ids are not valid. */
export async function openNpyEmbeddings(source: ByteSource, idsSource: ByteSource): Promise<EmbeddingTable> {
  const header = parseNpyHeader(await source.read(0, Math.min(source.size, npyHeadBytes)), source.size, source.name);
  const { dtype, shape, fortranOrder, offset } = header;
  const known = embeddingDtype(dtype);
  if (shape.length !== 2 || !known) {
    throw new InputError(
      `${source.name} has no embeddings: expected floating-point numbers [rows, columns], got ${dtype} [${shape}].`,
    );
  }
  const [rows, cols] = shape as [number, number];
  const [rowStride, colStride] = fortranOrder ? [1, rows] : [cols, 1];
  const { ids, integerIds, metadata } = parseIds(await idsSource.read(0, idsSource.size), idsSource.name);
  checkStoredIds(ids, rows, idsSource.name);
  const values = matrixRows(source, { dtype, rows, cols, offset, rowStride, colStride });
  return { ids, integerIds, metadata, dtype: known, values };
}

/**
 * Writes the matrix, and its ids and metadata beside it. Old ids are removed before the new matrix appears, so that a killed writer
 * never leaves a matrix with the ids of another one.
 * @throws what {@link encodedBlocks} and {@link writeAtomically} throw.
 */
export async function writeNpyEmbeddings(path: string, table: WritableTable, options: WriteOptions): Promise<void> {
  const { dtype, values, metadata } = table;
  const { fileSystem = nodeFileSystem } = options;
  const idsPath = idsPathOf(path);
  async function* chunks() {
    yield encodeNpyHeader(dtype === 'float16' ? '<f2' : '<f4', values.rows, values.cols);
    for await (const { bytes } of encodedBlocks(table, options)) yield bytes;
    await orFileError('write', idsPath, fileSystem.remove(idsPath));
  }
  await writeAtomically(path, chunks(), options);
  const notes = Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
  const json = `{"ids":${encodeIds(table)},"metadata":${JSON.stringify(notes)}}\n`;
  await writeAtomically(idsPath, new TextEncoder().encode(json), options);
}

/** The first six bytes of a .npy file. */
export const npyMagic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

const maxHeaderBytes = 10_000; // the limit of numpy
const dtypes: Readonly<Record<string, StoredDtype>> = {
  '<f2': 'F16',
  '<f4': 'F32',
  '<f8': 'F64',
  '<i4': 'I32',
  '<i8': 'I64',
};

interface NpyHeader {
  readonly dtype: StoredDtype;
  /** Row-major, unless `fortranOrder`. */
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  /** Of the first element; the elements end with the file. */
  readonly offset: number;
}

/** Largest number of bytes that {@link parseNpyHeader} needs. */
const npyHeadBytes = 12 + maxHeaderBytes;

/**
 * Parses the untrusted header of a .npy file, version 1, 2 or 3, and checks it against the bytes that follow.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @param head the first {@link npyHeadBytes} bytes of the file, or all of them
 * @throws CorruptFileError that says what is wrong; InputError for a dtype other than little-endian f2, f4, f8, i4 and i8.
 */
export function parseNpyHeader(head: Uint8Array, fileBytes: number, name: string): NpyHeader {
  const corrupt = (what: string) =>
    new CorruptFileError(`${name} is not a valid .npy file: ${what}. Copy or write it again.`);
  if (npyMagic.some((byte, index) => head[index] !== byte)) throw corrupt('it does not begin with the magic bytes');
  const major = head[6] ?? 0;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const start = major === 1 ? 10 : 12;
  if (major < 1 || major > 3 || head[7] !== 0) throw corrupt(`its version ${major}.${head[7]} is unknown`);
  if (head.length < start) throw corrupt('it ends within its header');
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > maxHeaderBytes)
    throw corrupt(`its header claims ${length} bytes, and at most ${maxHeaderBytes} are allowed`);
  if (start + length > head.length) throw corrupt('it ends within its header');

  const fields = parseDictionary(head.subarray(start, start + length));
  if (!fields) throw corrupt('its header is not a dictionary of descr, fortran_order and shape');
  const { descr, fortranOrder, shape } = fields;
  if (!Object.hasOwn(dtypes, descr)) {
    const known = Object.keys(dtypes).join(', ');
    throw new InputError(`${name} has dtype ${descr}; supported are ${known}. Save it with .astype('<f4').`);
  }
  const dtype = dtypes[descr]!;
  const bytes = shape.reduce((product, size) => product * size, elementBytes[dtype]);
  const offset = start + length;
  if (bytes !== fileBytes - offset) {
    throw corrupt(`[${shape}] of ${descr} need ${bytes} bytes, and ${fileBytes - offset} follow the header`);
  }
  return { dtype, shape, fortranOrder, offset };
}

const token = /\s*(?:([{}(),:])|(?:'([^'\\]{0,64})')|(?:"([^"\\]{0,64})")|(True|False)|(\d{1,16})L?)/y;

/**
 * Parses a Python literal such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`; undefined if it is anything
 * else.
 */
function parseDictionary(bytes: Uint8Array) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  let end = 0;
  const next = () => {
    token.lastIndex = end;
    const match = token.exec(text);
    if (match) end = token.lastIndex;
    return match ?? [];
  };
  const found: { descr?: string; fortranOrder?: boolean; shape?: number[] } = {};
  if (next()[1] !== '{') return undefined;
  for (let first = true; ; first = false) {
    let match = next();
    if (!first && match[1] === ',') match = next();
    else if (!first && match[1] !== '}') return undefined;
    if (match[1] === '}') break;
    const key = match[2] ?? match[3];
    if (next()[1] !== ':') return undefined;
    const value = next();
    if (key === 'descr' && found.descr === undefined) {
      const descr = value[2] ?? value[3];
      if (descr === undefined) return undefined;
      found.descr = descr;
    } else if (key === 'fortran_order' && found.fortranOrder === undefined && value[4]) {
      found.fortranOrder = value[4] === 'True';
    } else if (key === 'shape' && found.shape === undefined && value[1] === '(') {
      const shape = shapeOf(next);
      if (!shape) return undefined;
      found.shape = shape;
    } else return undefined;
  }
  const { descr, fortranOrder, shape } = found;
  if (descr === undefined || fortranOrder === undefined || !shape || text.slice(end).trim() !== '') return undefined;
  return { descr, fortranOrder, shape };
}

/** The rest of `()`, `(3,)` or `(3, 4)`. */
function shapeOf(next: () => readonly (string | undefined)[]): number[] | undefined {
  const shape: number[] = [];
  let match = next();
  while (match[5] !== undefined) {
    if (shape.push(Number(match[5])) > 32) return undefined;
    match = next();
    if (match[1] === ')') return shape.length > 1 ? shape : undefined; // (3) is a number, not a tuple
    if (match[1] !== ',') return undefined;
    match = next();
  }
  return match[1] === ')' ? shape : undefined;
}

/** Header of a matrix, version 1. The elements are aligned to 64 bytes, as numpy writes them. */
function encodeNpyHeader(descr: '<f2' | '<f4', rows: number, cols: number): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${rows}, ${cols}), }`;
  const total = Math.ceil((10 + text.length + 1) / 64) * 64;
  const head = Buffer.alloc(total, ' ');
  head.set(npyMagic);
  head.set([1, 0], 6);
  head.writeUInt16LE(total - 10, 8);
  head.write(text, 10, 'latin1');
  head[total - 1] = 0x0a;
  return head;
}
