import { CorruptFileError, InputError } from '@rarefy/core';
import { elementBytes, type StoredDtype } from '@rarefy/io';

/** The first six bytes of every .npy file. */
export const npyMagic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

const maxHeaderBytes = 10_000; // numpy's own limit
const dtypes: Readonly<Record<string, StoredDtype>> = {
  '<f2': 'F16',
  '<f4': 'F32',
  '<f8': 'F64',
  '<i4': 'I32',
  '<i8': 'I64',
};

export interface NpyHeader {
  readonly dtype: StoredDtype;
  /** First index slowest, unless `fortranOrder`. */
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  /** Position of the first element; the elements end with the file. */
  readonly position: number;
}

/** Most bytes that {@link parseNpyHeader} looks at. */
export const npyHeadBytes = 12 + maxHeaderBytes;

/**
 * The header of a .npy file, version 1, 2 or 3, checked against the bytes that follow. Format:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @param head the first bytes of the file, {@link npyHeadBytes} or all of them
 * @throws CorruptFileError naming what is wrong; InputError for a dtype that is none of f2, f4, f8, i4, i8, little-endian.
 */
export function parseNpyHeader(head: Uint8Array, fileBytes: number, name: string): NpyHeader {
  const corrupt = (what: string) =>
    new CorruptFileError(`${name} is no sound .npy file: ${what}. Copy or write it again.`);
  if (npyMagic.some((byte, index) => head[index] !== byte)) throw corrupt('it does not begin as one');
  const major = head[6] ?? 0;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const start = major === 1 ? 10 : 12;
  if (major < 1 || major > 3 || head[7] !== 0) throw corrupt(`it says to be of version ${major}.${head[7]}`);
  if (head.length < start) throw corrupt('it ends within its header');
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > maxHeaderBytes)
    throw corrupt(`its header claims ${length} bytes, and at most ${maxHeaderBytes} are allowed`);
  if (start + length > head.length) throw corrupt('it ends within its header');

  const fields = parseDictionary(head.subarray(start, start + length));
  if (!fields) throw corrupt('its header is no dictionary of descr, fortran_order and shape');
  const { descr, fortranOrder, shape } = fields;
  if (!Object.hasOwn(dtypes, descr)) {
    const known = Object.keys(dtypes).join(', ');
    throw new InputError(`${name} holds ${descr}, and only ${known} can be read. Save it with .astype('<f4').`);
  }
  const dtype = dtypes[descr]!;
  const bytes = shape.reduce((product, size) => product * size, elementBytes[dtype]);
  const position = start + length;
  if (bytes !== fileBytes - position) {
    throw corrupt(`[${shape}] of ${descr} need ${bytes} bytes, and ${fileBytes - position} follow the header`);
  }
  return { dtype, shape, fortranOrder, position };
}

const token = /\s*(?:([{}(),:])|(?:'([^'\\]{0,64})')|(?:"([^"\\]{0,64})")|(True|False)|(\d{1,16})L?)/y;

/** The Python literal `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order; undefined for any other. */
function parseDictionary(bytes: Uint8Array) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  let place = 0;
  const next = () => {
    token.lastIndex = place;
    const match = token.exec(text);
    if (match) place = token.lastIndex;
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
  if (descr === undefined || fortranOrder === undefined || !shape || text.slice(place).trim() !== '') return undefined;
  return { descr, fortranOrder, shape };
}

/** The rest of `()`, `(3,)` or `(3, 4)`. */
function shapeOf(next: () => readonly (string | undefined)[]): number[] | undefined {
  const shape: number[] = [];
  let match = next();
  while (match[5] !== undefined) {
    if (shape.push(Number(match[5])) > 32) return undefined;
    match = next();
    if (match[1] === ')') return shape.length > 1 ? shape : undefined; // (3) is a number, no tuple
    if (match[1] !== ',') return undefined;
    match = next();
  }
  return match[1] === ')' ? shape : undefined;
}

/** Header of a matrix, version 1, the elements aligned to 64 bytes as numpy has them. */
export function encodeNpyHeader(descr: '<f2' | '<f4', rows: number, cols: number): Uint8Array {
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
