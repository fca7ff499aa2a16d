import * as zlib from 'node:zlib';

const snappyGrowth = 32; // a copy of 2 or 3 bytes yields up to 64
const names = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'LZO', 'BROTLI', 'LZ4', 'ZSTD', 'LZ4_RAW'];

/** Name of a codec, for messages. */
export function codecName(codec: number): string {
  return names[codec] ?? `codec ${codec}`;
}

/** Whether this version of Node can decompress it; ZSTD needs 22.15. */
export function canUnpack(codec: number): boolean {
  return codec <= 2 || codec === 4 || (codec === 6 && 'zstdDecompressSync' in zlib);
}

/** Decompresses a page; undefined if it does not have exactly `size` bytes. Never allocates much more than that. */
export function unpackPage(packed: Uint8Array, codec: number, size: number): Uint8Array | undefined {
  if (codec === 0) return packed.length === size ? packed : undefined;
  if (codec === 1) return unpackSnappy(packed, size);
  const options = { maxOutputLength: Math.max(1, size) };
  try {
    const unpack = codec === 2 ? zlib.gunzipSync : codec === 4 ? zlib.brotliDecompressSync : zstd;
    const page = unpack(packed, options);
    return page.length === size ? page : undefined;
  } catch {
    return undefined;
  }
}

function zstd(packed: Uint8Array, options: { maxOutputLength: number }): Uint8Array {
  const { zstdDecompressSync } = zlib as unknown as { zstdDecompressSync: typeof zlib.gunzipSync };
  return zstdDecompressSync(packed, options);
}

/** Decompresses a snappy block. Format: https://github.com/google/snappy/blob/main/format_description.txt */
function unpackSnappy(packed: Uint8Array, size: number): Uint8Array | undefined {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    if (at >= packed.length || shift > 28) return undefined;
    const part = packed[at++]!;
    length += (part & 0x7f) * 2 ** shift;
    if (part < 0x80) break;
  }
  if (length !== size || size > snappyGrowth * packed.length) return undefined;
  const page = new Uint8Array(size);
  let done = 0;
  while (at < packed.length) {
    const tag = packed[at++]!;
    const kind = tag & 3;
    const extra = kind === 0 ? Math.max(0, (tag >> 2) - 59) : kind === 3 ? 4 : kind;
    if (at + extra > packed.length) return undefined;
    let number = 0;
    for (let index = 0; index < extra; index++) number += packed[at++]! * 2 ** (8 * index);
    if (kind === 0) {
      const count = (extra === 0 ? tag >> 2 : number) + 1;
      if (at + count > packed.length || done + count > size) return undefined;
      page.set(packed.subarray(at, at + count), done);
      at += count;
      done += count;
      continue;
    }
    const count = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const offset = kind === 1 ? number + ((tag >> 5) << 8) : number;
    if (offset === 0 || offset > done || done + count > size) return undefined;
    for (let index = 0; index < count; index++, done++) page[done] = page[done - offset]!;
  }
  return done === size ? page : undefined;
}

/**
 * Decodes `count` integers of Parquet's RLE/bit-packing hybrid; undefined if the bytes do not contain them. A run may not exceed
 * `count`, so the length that a run claims costs neither memory nor time.
 * Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/
 * @param width bits per value, 0 to 24
 */
export function readRuns(bytes: Uint8Array, width: number, count: number): Uint32Array | undefined {
  const values = new Uint32Array(count);
  if (width === 0) return values;
  const valueBytes = (width + 7) >> 3;
  let at = 0;
  for (let done = 0; done < count; ) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length || shift > 21) return undefined;
      const part = bytes[at++]!;
      head |= (part & 0x7f) << shift;
      if (part < 0x80) break;
    }
    const length = head >>> 1;
    if (length === 0) return undefined;
    if ((head & 1) === 0) {
      if (length > count - done || at + valueBytes > bytes.length) return undefined;
      let value = 0;
      for (let index = 0; index < valueBytes; index++) value |= bytes[at++]! << (8 * index);
      values.fill(value, done, done + length);
      done += length;
      continue;
    }
    if (at + length * width > bytes.length) return undefined;
    const end = at + length * width; // 8 values take `width` bytes
    const mask = 2 ** width - 1;
    let bits = 0;
    let held = 0;
    for (let index = 0; index < 8 * length && done < count; index++) {
      while (held < width) {
        bits = (bits | (bytes[at++]! << held)) >>> 0;
        held += 8;
      }
      values[done++] = bits & mask;
      bits >>>= width;
      held -= width;
    }
    at = end;
  }
  return values;
}
