import type { CallOptions } from '@rarefy/core';
import { openFile } from '../files/byte-source.js';
import { parseSafetensorsHeader, safetensorsHeaderLength } from './safetensors-header.js';
import type { StoredTensor } from './stored-tensor.js';

/** What a safetensors file holds. Format: https://github.com/huggingface/safetensors#format */
export interface Safetensors {
  readonly metadata: Record<string, string>;
  /** By name, in the order of the file. */
  readonly tensors: Map<string, StoredTensor>;
}

/**
 * Reads a safetensors file, every tensor into memory of its own, so a file may be larger than one buffer can be.
 * @throws InputError when it cannot be read; CorruptFileError naming the file and what is wrong; the signal's reason on abort.
 */
export async function readSafetensors(path: string, options: CallOptions = {}): Promise<Safetensors> {
  await using file = await openFile(path, options);
  const { name, size } = file;
  const length = safetensorsHeaderLength(await file.read(0, Math.min(8, size), options), size, name);
  const header = parseSafetensorsHeader(await file.read(8, length, options), size - 8 - length, name);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of header.tensors) {
    tensors.set(name, { dtype, shape, bytes: await file.read(8 + length + begin, end - begin, options) });
  }
  return { metadata: header.metadata, tensors };
}

/**
 * The same from bytes in memory; the tensors are views of them.
 * @param name how errors name the bytes
 */
export function parseSafetensors(bytes: Uint8Array, name = 'the data'): Safetensors {
  const length = safetensorsHeaderLength(bytes.subarray(0, 8), bytes.length, name);
  const data = bytes.subarray(8 + length);
  const header = parseSafetensorsHeader(bytes.subarray(8, 8 + length), data.length, name);
  const tensors = new Map(
    header.tensors.map(({ name, dtype, shape, begin, end }) => [
      name,
      { dtype, shape, bytes: data.subarray(begin, end) },
    ]),
  );
  return { metadata: header.metadata, tensors };
}
