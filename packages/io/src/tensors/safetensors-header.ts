import { CorruptFileError } from '@rarefy/core';
import { quoted } from '../text/quoted.js';
import { keyProblem } from './header-keys.js';
import { elementBytes, type StoredDtype } from './stored-tensor.js';

const maxHeaderBytes = 100_000_000; // the limit of the reference implementation

export interface SafetensorsHeader {
  readonly metadata: Record<string, string>;
  /** In the order of their bytes; `begin` and `end` count from the first byte after the header. */
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
 * Length of the header that follows the first 8 bytes of a file.
 * @throws CorruptFileError when it cannot be: over 100 MB, or beyond the end of the file.
 */
export function safetensorsHeaderLength(first8: Uint8Array, fileBytes: number, name: string): number {
  const corrupt = corruptFile(name);
  if (first8.length < 8) throw corrupt(`it has ${fileBytes} bytes, and the length of the header alone takes 8`);
  const length = Number(new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true));
  if (length > maxHeaderBytes) throw corrupt(`its header claims ${length} bytes, and at most 100 MB are allowed`);
  if (length > fileBytes - 8) {
    throw corrupt(`it ends early: its header claims ${length} bytes, and ${fileBytes - 8} follow`);
  }
  return length;
}

/**
 * The header, checked against the format's rules and the bytes that follow: tensors in range, without overlap or gap, each of
 * the size of its shape. Nothing in it is trusted.
 * @throws CorruptFileError naming the file and the first rule broken.
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
    throw corrupt('its metadata is not a map of texts');
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
    throw corrupt(`it ends early: its tensors need ${end} bytes, and ${dataBytes} follow the header`);
  return { metadata: metadata as Record<string, string>, tensors };
}

/** Errors that name the file; the caller says what is wrong with it. */
function corruptFile(name: string): (what: string, cause?: unknown) => CorruptFileError {
  return (what, cause) =>
    new CorruptFileError(`${name} is no sound safetensors file: ${what}. Copy, download or write it again.`, { cause });
}

function toEntry(name: string, entry: unknown, corrupt: ReturnType<typeof corruptFile>): TensorEntry {
  const wrong = (what: string) => corrupt(`tensor ${quoted(name)} ${what}`);
  if (!isObject(entry)) throw wrong('has no description');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    const known = Object.keys(elementBytes).join(', ');
    throw wrong(
      `is stored as ${typeof dtype === 'string' ? quoted(dtype) : typeof dtype}, and only ${known} can be read`,
    );
  }
  if (!isCounts(shape)) throw wrong('has no shape of whole numbers');
  if (!isCounts(offsets) || offsets.length !== 2) throw wrong('has no pair of offsets');
  const [begin, end] = offsets as [number, number];
  let size: number = elementBytes[dtype as StoredDtype];
  for (const length of shape) {
    size *= length;
    if (!Number.isSafeInteger(size)) throw wrong(`has the impossible shape [${shape.slice(0, 8)}]`);
  }
  if (end - begin !== size) {
    throw wrong(
      `of shape [${shape.slice(0, 8)}] and dtype ${dtype} needs ${size} bytes, and its offsets hold ${end - begin}`,
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
