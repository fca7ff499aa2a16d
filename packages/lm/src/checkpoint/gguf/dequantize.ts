import { InputError } from '@rarefy/core';

/** A type: a block of `bytes` holds `values` values. `read` decodes the block at byte `at` into `out` from index `to`. */
interface BlockType {
  readonly values: number;
  readonly bytes: number;
  readonly read: (block: DataView, at: number, out: Float32Array, to: number) => void;
}

/**
 * The types by their number in a GGUF file. Every product of a scale and a quantized value is exact in float32.
 * Source: ggml's `ggml-quants.c` for the layouts; `gguf-py/gguf/quants.py` for the numbering.
 */
const types: Readonly<Record<number, BlockType>> = {
  0: {
    values: 1,
    bytes: 4,
    read(block, at, out, to) {
      out[to] = block.getFloat32(at, true);
    },
  },
  1: {
    values: 1,
    bytes: 2,
    read(block, at, out, to) {
      out[to] = half(block, at);
    },
  },
  2: { values: 32, bytes: 18, read: fourOrFiveBits({ hasMinimum: false, hasFifthBit: false }) },
  3: { values: 32, bytes: 20, read: fourOrFiveBits({ hasMinimum: true, hasFifthBit: false }) },
  6: { values: 32, bytes: 22, read: fourOrFiveBits({ hasMinimum: false, hasFifthBit: true }) },
  7: { values: 32, bytes: 24, read: fourOrFiveBits({ hasMinimum: true, hasFifthBit: true }) },
  8: {
    values: 32,
    bytes: 34,
    read(block, at, out, to) {
      const scale = half(block, at);
      for (let i = 0; i < 32; i++) out[to + i] = scale * block.getInt8(at + 2 + i);
    },
  },
  12: { values: 256, bytes: 144, read: superBlock(false) },
  13: { values: 256, bytes: 176, read: superBlock(true) },
  14: { values: 256, bytes: 210, read: sixBits },
  30: {
    values: 1,
    bytes: 2,
    read(block, at, out, to) {
      word[0] = block.getUint16(at, true) << 16;
      out[to] = wordAsFloat[0]!;
    },
  },
};

const word = new Uint32Array(1);
const wordAsFloat = new Float32Array(word.buffer);

/** Bytes of `count` stored values. @throws InputError if the type is not supported, or `count` is not a whole number of blocks. */
export function storedBytes(type: number, count: number, name: string): number {
  const block = Object.hasOwn(types, type) ? types[type]! : undefined;
  if (block === undefined) {
    throw new InputError(
      `'${name}' has an unsupported quantization (ggml type ${type}); use F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K`,
    );
  }
  if (count % block.values !== 0) {
    throw new InputError(`'${name}' has ${count} values, which is not a multiple of the block size ${block.values}`);
  }
  return (count / block.values) * block.bytes;
}

/** The values of one weight. @param bytes as many as {@link storedBytes} returns */
export function dequantize(type: number, bytes: Uint8Array, count: number): Float32Array {
  const { values, bytes: stride, read } = types[type]!;
  const block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(count);
  for (let to = 0, at = 0; to < count; to += values, at += stride) read(block, at, out, to);
  return out;
}

/** Q4_0, Q4_1, Q5_0, Q5_1: scale, [minimum], [fifth bits of 32 values], then values i and i + 16 in one byte. */
function fourOrFiveBits({ hasMinimum, hasFifthBit }: Record<'hasMinimum' | 'hasFifthBit', boolean>): BlockType['read'] {
  return (block, at, out, to) => {
    const scale = half(block, at);
    const minimum = hasMinimum ? half(block, at + 2) : scale * (hasFifthBit ? -16 : -8);
    const start = at + (hasMinimum ? 4 : 2);
    const fifth = hasFifthBit ? block.getUint32(start, true) : 0;
    const values = start + (hasFifthBit ? 4 : 0);
    for (let i = 0; i < 16; i++) {
      const pair = block.getUint8(values + i);
      out[to + i] = scale * ((pair & 15) | (((fifth >>> i) & 1) << 4)) + minimum;
      out[to + i + 16] = scale * ((pair >>> 4) | (((fifth >>> (i + 16)) & 1) << 4)) + minimum;
    }
  };
}

/** Q4_K, Q5_K: 8 groups of 32 values. Each has a 6-bit scale and minimum, multiplied by the scale and minimum of the block. */
function superBlock(hasFifthBit: boolean): BlockType['read'] {
  return (block, at, out, to) => {
    const scale = half(block, at);
    const minimum = half(block, at + 2);
    const packed = at + 4;
    const fifth = at + 16;
    const values = fifth + (hasFifthBit ? 32 : 0);
    for (let group = 0; group < 8; group++) {
      const byte = (index: number) => block.getUint8(packed + index);
      const isLow = group < 4;
      const scale6 = isLow ? byte(group) & 63 : (byte(group + 4) & 15) | ((byte(group - 4) >>> 6) << 4);
      const minimum6 = isLow ? byte(group + 4) & 63 : (byte(group + 4) >>> 4) | ((byte(group) >>> 6) << 4);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) {
        const four = (block.getUint8(values + 32 * (group >> 1) + i) >>> shift) & 15;
        const bit = hasFifthBit ? (block.getUint8(fifth + i) >>> group) & 1 : 0;
        out[to + 32 * group + i] = scale * scale6 * (four | (bit << 4)) - minimum * minimum6;
      }
    }
  };
}

/** Q6_K: the lower 4 and upper 2 bits are stored separately; 16 groups of 16 values have an 8-bit scale each. */
function sixBits(block: DataView, at: number, out: Float32Array, to: number): void {
  const scale = half(block, at + 208);
  for (let i = 0; i < 256; i++) {
    const within = i & 127;
    const lower = (block.getUint8(at + 64 * (i >> 7) + (within & 63)) >>> (within < 64 ? 0 : 4)) & 15;
    const upper = (block.getUint8(at + 128 + 32 * (i >> 7) + (within & 31)) >>> (2 * (within >> 5))) & 3;
    out[to + i] = scale * block.getInt8(at + 192 + (i >> 4)) * ((lower | (upper << 4)) - 32);
  }
}

/** IEEE 754 half precision. */
function half(block: DataView, at: number): number {
  const bits = block.getUint16(at, true);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
