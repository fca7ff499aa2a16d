/** A metadata value of a GGUF file: a string, an integer (uint32), a `{ float }` (float32), or a list. */
export type GgufValue =
  | string
  | number
  | boolean
  | { readonly float: number }
  | readonly string[]
  | readonly { readonly int: number }[];

export interface GgufTensor {
  /** Rows last, as in GGUF. */
  readonly shape: readonly number[];
  /** Type number of ggml; 0 is float32. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** The bytes of a GGUF file, version 3. */
export function writeGguf(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: Readonly<Record<string, GgufTensor>>,
) {
  const parts: Buffer[] = [];
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    parts.push(bytes);
  };
  const u64 = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    parts.push(bytes);
  };
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    u64(bytes.length);
    parts.push(bytes);
  };
  const float = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    parts.push(bytes);
  };
  parts.push(Buffer.from('GGUF'));
  u32(3);
  u64(Object.keys(tensors).length);
  u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    text(key);
    if (typeof value === 'string') {
      u32(8);
      text(value);
    } else if (typeof value === 'number') {
      u32(4);
      u32(value);
    } else if (typeof value === 'boolean') {
      u32(7);
      parts.push(Buffer.from([Number(value)]));
    } else if (Array.isArray(value)) {
      u32(9);
      const isText = typeof value[0] === 'string';
      u32(isText ? 8 : 5);
      u64(value.length);
      for (const entry of value) {
        if (isText) text(entry as string);
        else u32((entry as { int: number }).int);
      }
    } else {
      u32(6);
      float((value as { float: number }).float);
    }
  }
  const padded = (size: number) => Math.ceil(size / 32) * 32;
  let offset = 0;
  for (const [name, { shape, type, bytes }] of Object.entries(tensors)) {
    text(name);
    u32(shape.length);
    for (const size of shape) u64(size);
    u32(type);
    u64(offset);
    offset += padded(bytes.length);
  }
  const header = parts.reduce((sum, { length }) => sum + length, 0);
  parts.push(Buffer.alloc(padded(header) - header));
  for (const { bytes } of Object.values(tensors))
    parts.push(Buffer.from(bytes), Buffer.alloc(padded(bytes.length) - bytes.length));
  return Buffer.concat(parts);
}
