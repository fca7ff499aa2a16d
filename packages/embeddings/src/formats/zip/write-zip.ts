import { crc32 } from 'node:zlib';

/** A file to store in an archive. Its size must be known before its bytes. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: number;
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

const alignment = 64; // of the data in the archive, as torch.save does it, so that it can be memory-mapped
const limit = 0xffffffff;

/**
 * The bytes of a zip archive of uncompressed files, with ZIP64 records as torch.save writes them. Equal files give equal bytes,
 * because the archive has no timestamps.
 * @throws RangeError if a file has another number of bytes than announced.
 */
export async function* zipArchive(files: Iterable<ZipFile>): AsyncGenerator<Uint8Array> {
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, chunks } of files) {
    const isWide = bytes >= limit;
    const start = offset;
    const local = localHeader(name, bytes, start);
    yield local;
    let checksum = 0;
    let done = 0;
    for await (const chunk of chunks) {
      yield chunk;
      checksum = crc32(chunk, checksum);
      done += chunk.length;
    }
    if (done !== bytes) throw new RangeError(`${name} has ${done} bytes, expected ${bytes}`);
    const descriptor = Buffer.alloc(isWide ? 24 : 16);
    descriptor.writeUInt32LE(0x08074b50);
    descriptor.writeUInt32LE(checksum, 4);
    if (isWide) {
      descriptor.writeBigUInt64LE(BigInt(bytes), 8);
      descriptor.writeBigUInt64LE(BigInt(bytes), 16);
    } else {
      descriptor.writeUInt32LE(bytes, 8);
      descriptor.writeUInt32LE(bytes, 12);
    }
    yield descriptor;
    directory.push(directoryEntry(name, bytes, start, checksum));
    offset = start + local.length + bytes + descriptor.length;
  }
  const all = Buffer.concat(directory);
  yield all;
  yield archiveEnd(directory.length, all.length, offset);
}

/** Sizes and checksum follow the data in a descriptor; the extra field aligns the data. */
function localHeader(name: string, bytes: number, offset: number): Buffer {
  const nameBytes = Buffer.from(name);
  const zip64 = bytes >= limit ? zip64Field([bytes, bytes]) : Buffer.alloc(0);
  const unpadded = offset + 30 + nameBytes.length + zip64.length + 4;
  const padding = Buffer.alloc(4 + ((alignment - (unpadded % alignment)) % alignment), 'Z');
  padding.write('FB', 'latin1');
  padding.writeUInt16LE(padding.length - 4, 2);
  const fixed = Buffer.alloc(30);
  fixed.writeUInt32LE(0x04034b50);
  fixed.writeUInt16LE(bytes >= limit ? 45 : 20, 4);
  fixed.writeUInt16LE(0x0808, 6); // flags: a descriptor follows the data; the name is UTF-8
  if (bytes >= limit) fixed.writeBigUInt64LE(0xffffffffffffffffn, 18);
  fixed.writeUInt16LE(nameBytes.length, 26);
  fixed.writeUInt16LE(zip64.length + padding.length, 28);
  return Buffer.concat([fixed, nameBytes, zip64, padding]);
}

function directoryEntry(name: string, bytes: number, offset: number, checksum: number): Buffer {
  const nameBytes = Buffer.from(name);
  const wide = [bytes, bytes, offset].filter((value) => value >= limit);
  const zip64 = wide.length > 0 ? zip64Field(wide) : Buffer.alloc(0);
  const fixed = Buffer.alloc(46);
  fixed.writeUInt32LE(0x02014b50);
  fixed.writeUInt16LE(wide.length > 0 ? 45 : 20, 6);
  fixed.writeUInt16LE(0x0808, 8);
  fixed.writeUInt32LE(checksum, 16);
  fixed.writeUInt32LE(Math.min(bytes, limit), 20);
  fixed.writeUInt32LE(Math.min(bytes, limit), 24);
  fixed.writeUInt16LE(nameBytes.length, 28);
  fixed.writeUInt16LE(zip64.length, 30);
  fixed.writeUInt32LE(Math.min(offset, limit), 42);
  return Buffer.concat([fixed, nameBytes, zip64]);
}

function zip64Field(values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1);
  field.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) field.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return field;
}

function archiveEnd(entries: number, directoryBytes: number, directoryStart: number): Buffer {
  const end = Buffer.alloc(56 + 20 + 22);
  end.writeUInt32LE(0x06064b50); // ZIP64 end record
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(45, 12);
  end.writeUInt16LE(45, 14);
  end.writeBigUInt64LE(BigInt(entries), 24);
  end.writeBigUInt64LE(BigInt(entries), 32);
  end.writeBigUInt64LE(BigInt(directoryBytes), 40);
  end.writeBigUInt64LE(BigInt(directoryStart), 48);
  end.writeUInt32LE(0x07064b50, 56); // its locator
  end.writeBigUInt64LE(BigInt(directoryStart + directoryBytes), 64);
  end.writeUInt32LE(1, 72);
  end.writeUInt32LE(0x06054b50, 76);
  end.writeUInt16LE(entries, 84);
  end.writeUInt16LE(entries, 86);
  end.writeUInt32LE(Math.min(directoryBytes, limit), 88);
  end.writeUInt32LE(Math.min(directoryStart, limit), 92);
  return end;
}
