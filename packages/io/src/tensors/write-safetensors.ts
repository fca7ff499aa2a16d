import { type CallOptions, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { writeAtomically } from '../files/write-atomically.js';
import { toFloat16 } from './float16.js';
import { elementBytes, type StoredTensor } from './stored-tensor.js';

/** A tensor to write: row-major, the product of `shape` values. F16 is rounded from single precision, ties to even. */
export type WritableTensor = { readonly shape: readonly number[] } & (
  | { readonly dtype: 'F64'; readonly data: Float64Array }
  | { readonly dtype: 'F32' | 'F16'; readonly data: Float32Array }
  | { readonly dtype: 'I64'; readonly data: BigInt64Array }
  | { readonly dtype: 'I32'; readonly data: Int32Array }
  | { readonly dtype: 'U8'; readonly data: Uint8Array }
);

const arrays = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U8: Uint8Array,
} as const;

/**
 * The bytes of a safetensors file. Equal tensors and metadata give equal bytes, whatever their order in the objects: wider
 * elements first, as the reference writer does, so that all are aligned; then by name; the header padded to 8 bytes by spaces.
 * @throws ShapeError when a shape and its data disagree; InvalidArgumentError for a dtype that cannot be written.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  return new Uint8Array(Buffer.concat(safetensorsChunks(tensors, metadata))); // a copy: small Buffers share memory
}

/** Writes a safetensors file, whole or not at all. @throws what encodeSafetensors and writeAtomically throw. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
  options: CallOptions = {},
): Promise<void> {
  await writeAtomically(path, safetensorsChunks(tensors, metadata), options);
}

/** Header and data one after the other; views of the tensors where no conversion is due. */
function safetensorsChunks(
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const sorted = Object.entries(tensors)
    .map(([name, tensor]) => checked(name, tensor))
    .sort(([a, first], [b, second]) => elementBytes[second.dtype] - elementBytes[first.dtype] || (a < b ? -1 : 1));
  return [encodeSafetensorsHeader(sorted, metadata), ...sorted.map(([, tensor]) => bytesOf(tensor))];
}

/**
 * What a file begins with, before the bytes of the tensors in this order: its length, and the header padded to 8 bytes by spaces.
 * @throws InvalidArgumentError for metadata that is no text.
 */
export function encodeSafetensorsHeader(
  tensors: readonly (readonly [name: string, Pick<StoredTensor, 'dtype' | 'shape'>])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, unknown][] = [];
  const notes = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of notes) {
    if (typeof value !== 'string')
      throw new InvalidArgumentError(`metadata ${key} must be a text, got ${typeof value}`);
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

function checked(name: string, tensor: WritableTensor): [string, WritableTensor] {
  const { dtype, shape, data } = tensor;
  if (name === '__metadata__') throw new InvalidArgumentError('a tensor cannot be named __metadata__');
  if (!Object.hasOwn(arrays, dtype)) {
    const known = Object.keys(arrays).join(', ');
    throw new InvalidArgumentError(`tensor ${name} has dtype ${dtype}; write one of ${known}`);
  }
  if (!(data instanceof arrays[dtype])) {
    throw new InvalidArgumentError(`tensor ${name} of dtype ${dtype} needs its data as ${arrays[dtype].name}`);
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length || !shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ShapeError(`tensor ${name} has the shape [${shape}] and ${data.length} values`);
  }
  return [name, tensor];
}

function bytesOf({ dtype, data }: WritableTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = dtype === 'F16' ? toFloat16(data as Float32Array) : data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
