import { type CallOptions, callOptionNames, checkOptions, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { openFile } from '../files/byte-source.js';
import { writeAtomically } from '../files/write-atomically.js';
import { toFloat16 } from './float16.js';
import { encodeSafetensorsHeader, parseSafetensorsHeader, safetensorsHeaderLength } from './safetensors-header.js';
import { elementBytes, type StoredTensor } from './stored-tensor.js';

/** Content of a safetensors file. Format: https://github.com/huggingface/safetensors#format */
export interface Safetensors {
  readonly metadata: Record<string, string>;
  /** By name, in file order. */
  readonly tensors: Map<string, StoredTensor>;
}

/**
 * Reads a safetensors file. Every tensor gets its own buffer, so the file may be larger than the largest buffer.
 * @throws InputError if it cannot be read; CorruptFileError if it is not valid; the signal's reason on abort.
 */
export async function readSafetensors(path: string, options: CallOptions = {}): Promise<Safetensors> {
  checkOptions(options, callOptionNames, 'readSafetensors');
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
 * Parses the bytes of a safetensors file; the tensors are views of them.
 * @param name names the bytes in error messages
 * @throws CorruptFileError if they are not valid.
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

/** A tensor to write, row-major. F16 is rounded from single precision, ties to even. */
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
 * The bytes of a safetensors file. Equal tensors and metadata give equal bytes, in whatever order the objects have them: tensors
 * with wider elements come first, as in the reference implementation, so that all are aligned; then they are sorted by name.
 * @throws ShapeError if a shape does not match its data; InvalidArgumentError for a dtype that cannot be written.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  return new Uint8Array(Buffer.concat(safetensorsChunks(tensors, metadata))); // a copy: small Buffers share memory
}

/**
 * Writes a safetensors file, completely or not at all.
 * @throws what {@link encodeSafetensors} and {@link writeAtomically} throw.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
  options: CallOptions = {},
): Promise<void> {
  checkOptions(options, callOptionNames, 'writeSafetensors');
  await writeAtomically(path, safetensorsChunks(tensors, metadata), options);
}

/** Header and data in order; views of the tensors where no conversion is needed. */
function safetensorsChunks(
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const sorted = Object.entries(tensors)
    .map(([name, tensor]) => checked(name, tensor))
    .sort(([a, first], [b, second]) => elementBytes[second.dtype] - elementBytes[first.dtype] || (a < b ? -1 : 1));
  return [encodeSafetensorsHeader(sorted, metadata), ...sorted.map(([, tensor]) => bytesOf(tensor))];
}

function checked(name: string, tensor: WritableTensor): [string, WritableTensor] {
  const { dtype, shape, data } = tensor;
  if (name === '__metadata__') throw new InvalidArgumentError('a tensor cannot be named __metadata__');
  if (!Object.hasOwn(arrays, dtype)) {
    const known = Object.keys(arrays).join(', ');
    throw new InvalidArgumentError(`tensor ${name} has dtype ${dtype}; expected one of ${known}`);
  }
  if (!(data instanceof arrays[dtype])) {
    throw new InvalidArgumentError(`the data of tensor ${name} with dtype ${dtype} must be a ${arrays[dtype].name}`);
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length || !shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ShapeError(`tensor ${name} has shape [${shape}] and ${data.length} values`);
  }
  return [name, tensor];
}

function bytesOf({ dtype, data }: WritableTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = dtype === 'F16' ? toFloat16(data as Float32Array) : data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
