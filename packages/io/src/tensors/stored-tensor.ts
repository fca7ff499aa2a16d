import { ShapeError } from '@rarefy/core';
import { fromBfloat16, fromFloat16 } from './float16.js';

/** Bytes per element. */
export const elementBytes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;

export type StoredDtype = keyof typeof elementBytes;

/** A tensor as stored in a file: row-major, little-endian. `bytes.length` is the product of `shape` times the element size. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Values of an F32, F16, BF16 (exact) or F64 (rounded) tensor, in a new array. @throws ShapeError for other dtypes. */
export function toFloat32(tensor: StoredTensor): Float32Array {
  const buffer = copy(tensor);
  switch (tensor.dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return fromFloat16(new Uint16Array(buffer));
    case 'BF16':
      return fromBfloat16(new Uint16Array(buffer));
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    default:
      throw new ShapeError(`a tensor of dtype ${tensor.dtype} is not a floating-point tensor; read it with toInt32()`);
  }
}

/** Exact values of a floating-point tensor, in a new array. @throws ShapeError for other dtypes. */
export function toFloat64(tensor: StoredTensor): Float64Array {
  return tensor.dtype === 'F64' ? new Float64Array(copy(tensor)) : Float64Array.from(toFloat32(tensor));
}

/**
 * Values of an integer tensor, or of a BOOL tensor as 0 and 1, in a new array.
 * @throws ShapeError for other dtypes, and for an I64 value outside [-2^31, 2^31).
 */
export function toInt32(tensor: StoredTensor): Int32Array {
  const buffer = copy(tensor);
  switch (tensor.dtype) {
    case 'I64':
      return narrow(new BigInt64Array(buffer));
    case 'I32':
      return new Int32Array(buffer);
    case 'I16':
      return Int32Array.from(new Int16Array(buffer));
    case 'I8':
      return Int32Array.from(new Int8Array(buffer));
    case 'U8':
      return Int32Array.from(new Uint8Array(buffer));
    case 'BOOL':
      return Int32Array.from(new Uint8Array(buffer), (value) => (value === 0 ? 0 : 1));
    default:
      throw new ShapeError(`a tensor of dtype ${tensor.dtype} is not an integer tensor; read it with toFloat32()`);
  }
}

function narrow(values: BigInt64Array): Int32Array {
  const result = new Int32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = Number(values[index]!);
    if (value < -(2 ** 31) || value >= 2 ** 31) {
      throw new ShapeError(`element ${index} of an I64 tensor is ${values[index]}, which does not fit in 32 bits`);
    }
    result[index] = value;
  }
  return result;
}

/** Typed arrays need an aligned buffer; the bytes may begin anywhere in theirs. */
function copy({ dtype, bytes }: StoredTensor): ArrayBuffer {
  if (bytes.length % elementBytes[dtype] !== 0) {
    throw new ShapeError(`${bytes.length} bytes are not a multiple of the ${dtype} element size`);
  }
  return new Uint8Array(bytes).buffer;
}
