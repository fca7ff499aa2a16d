import { CorruptFileError, InvalidArgumentError } from '@rarefy/core';
import { quoted } from '../messages.js';
import { elementBytes, type StoredDtype, type StoredTensor } from './stored-tensor.js';

const maxHeaderBytes = 100_000_000; // the limit of the reference implementation
const maxDepth = 3; // the header, a tensor's description, its shape

export interface SafetensorsHeader {
  readonly metadata: Record<string, string>;
  /** In the order of their bytes; `begin` and `end` are offsets from the first byte after the header. */
  readonly tensors: readonly TensorEntry[];
}

export interface TensorEntry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Length of the header, from the first 8 bytes of a file.
 * @throws CorruptFileError if it is more than 100 MB, or reaches past the end of the file.
 */
export function safetensorsHeaderLength(first8: Uint8Array, fileBytes: number, name: string): number {
  const corrupt = corruptFile(name);
  if (first8.length < 8) throw corrupt(`it has ${fileBytes} bytes, and the length of the header takes 8`);
  const length = Number(new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true));
  if (length > maxHeaderBytes) throw corrupt(`its header claims ${length} bytes, and at most 100 MB are allowed`);
  if (length > fileBytes - 8) {
    throw corrupt(`it is truncated: its header claims ${length} bytes, and ${fileBytes - 8} follow`);
  }
  return length;
}

/**
 * Parses an untrusted header and checks it against the rules of the format and the bytes that follow: tensors in range, without
 * overlap or gap, each as large as its shape.
 * @throws CorruptFileError that names the file and the first rule broken.
 */
export function parseSafetensorsHeader(header: Uint8Array, dataBytes: number, name: string): SafetensorsHeader {
  const corrupt = corruptFile(name);
  if (header[0] !== 0x7b) throw corrupt('its header does not begin with {');
  let json: unknown;
  let problem: string | undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    problem = keyProblem(text);
    json = problem === undefined ? JSON.parse(text) : undefined;
  } catch (cause) {
    throw corrupt('its header is not valid JSON in UTF-8', cause);
  }
  if (problem !== undefined) throw corrupt(`its header ${problem}`);

  const { __metadata__: metadata = {}, ...entries } = json as Record<string, unknown>;
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt('its metadata is not an object of strings');
  }
  const tensors = Object.entries(entries)
    .map(([tensor, entry]) => toEntry(tensor, entry, corrupt))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const tensor of tensors) {
    if (tensor.begin !== end) {
      throw corrupt(`tensor ${quoted(tensor.name)} begins at byte ${tensor.begin}, and the one before ends at ${end}`);
    }
    end = tensor.end;
  }
  if (end < dataBytes) throw corrupt(`its tensors end at byte ${end} of ${dataBytes}`);
  if (end > dataBytes)
    throw corrupt(`it is truncated: its tensors need ${end} bytes, and ${dataBytes} follow the header`);
  return { metadata: metadata as Record<string, string>, tensors };
}

/** Makes the errors about one file. */
function corruptFile(name: string): (what: string, cause?: unknown) => CorruptFileError {
  return (what, cause) =>
    new CorruptFileError(`${name} is not a valid safetensors file: ${what}. Copy, download or write it again.`, {
      cause,
    });
}

function toEntry(name: string, entry: unknown, corrupt: ReturnType<typeof corruptFile>): TensorEntry {
  const wrong = (what: string) => corrupt(`tensor ${quoted(name)} ${what}`);
  if (!isObject(entry)) throw wrong('has no description');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    const known = Object.keys(elementBytes).join(', ');
    throw wrong(
      `has dtype ${typeof dtype === 'string' ? quoted(dtype) : typeof dtype}, and only ${known} are supported`,
    );
  }
  if (!isCounts(shape)) throw wrong('has no shape of non-negative integers');
  if (!isCounts(offsets) || offsets.length !== 2) throw wrong('has no pair of offsets');
  const [begin, end] = offsets as [number, number];
  let size: number = elementBytes[dtype as StoredDtype];
  for (const length of shape) {
    size *= length;
    if (!Number.isSafeInteger(size)) throw wrong(`has the impossible shape [${shape.slice(0, 8)}]`);
  }
  if (end - begin !== size) {
    throw wrong(
      `of shape [${shape.slice(0, 8)}] and dtype ${dtype} needs ${size} bytes, and its offsets span ${end - begin}`,
    );
  }
  return { name, dtype: dtype as StoredDtype, shape, begin, end };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/**
 * What is wrong with the nesting and keys of a header, or undefined. JSON.parse accepts any depth, and keeps the last of equal keys
 * without an error. Looks only at the structure, so the text need not be valid JSON.
 */
function keyProblem(json: string): string | undefined {
  const open: Set<string>[] = []; // the keys so far of each object or array that is open
  for (let index = 0; index < json.length; index++) {
    const character = json[index];
    if (character === '{' || character === '[') {
      if (open.push(new Set()) > maxDepth) return 'is nested deeper than a header can be';
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const start = index++;
      while (index < json.length && json[index] !== '"') index += json[index] === '\\' ? 2 : 1;
      let next = index + 1;
      while (' \t\r\n'.includes(json[next] ?? 'end')) next++;
      if (json[next] !== ':') continue; // a value
      const key = JSON.parse(json.slice(start, index + 1)) as string; // '"a"' and '"\u0061"' are the same key
      const keys = open.at(-1);
      if (keys?.has(key)) return `has the key ${quoted(key)} twice`;
      keys?.add(key);
    }
  }
  return undefined;
}

/**
 * The start of a file whose tensors follow in this order: the header's length, and the header padded with spaces to 8 bytes.
 * @throws InvalidArgumentError for metadata that is not a string.
 */
export function encodeSafetensorsHeader(
  tensors: readonly (readonly [name: string, Pick<StoredTensor, 'dtype' | 'shape'>])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, unknown][] = [];
  const notes = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of notes) {
    if (typeof value !== 'string')
      throw new InvalidArgumentError(`metadata ${key} must be a string, got ${typeof value}`);
  }
  if (notes.length > 0) header.push(['__metadata__', Object.fromEntries(notes)]);
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const end = offset + shape.reduce((product, length) => product * length, elementBytes[dtype]);
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8;
  const start = Buffer.alloc(8 + length, ' ');
  start.writeBigUInt64LE(BigInt(length));
  start.set(json, 8);
  return start;
}
