import * as zlib from 'node:zlib';

const snappyGrowth = 32; // 64 bytes from a copy of 2 or 3
const names = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'LZO', 'BROTLI', 'LZ4', 'ZSTD', 'LZ4_RAW'];

/** The name of a codec, for errors. */
export function codecName(codec: number): string {
  return names[codec] ?? `codec ${codec}`;
}

/** Whether this Node can unpack it: ZSTD from 22.15 on. */
export function canUnpack(codec: number): boolean {
  return codec <= 2 || codec === 4 || (codec === 6 && 'zstdDecompressSync' in zlib);
}

/** A page of `size` bytes, or undefined when it does not unpack to exactly that. Nothing much larger is ever allocated. */
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

/** Format: https://github.com/google/snappy/blob/main/format_description.txt */
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
