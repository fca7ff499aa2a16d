import { crc32, inflateRawSync } from 'node:zlib';
import { type ByteSource, memorySource } from '@rarefy/io';
import { corruptZip, type ZipEntry, zipDataPosition } from './zip-directory.js';

const blockBytes = 2 ** 22;

/**
 * An entry's data, its checksum compared: a source, and where the data begin in it. A stored entry stays in the archive's file and is
 * read once for the checksum; a deflated one is unpacked into memory, to twice the size of the archive at most.
 * @throws CorruptFileError when the checksum differs, it does not unpack to its size, or is too large.
 */
export async function openZipEntry(
  source: ByteSource,
  entry: ZipEntry,
): Promise<{ readonly source: ByteSource; readonly position: number }> {
  const corrupt = corruptZip(source.name);
  const position = await zipDataPosition(source, entry);
  if (entry.method === 'deflated') {
    if (entry.bytes > 2 * source.size) {
      throw corrupt(
        `its entry ${entry.name} unpacks to ${entry.bytes} bytes, over twice the archive; store it without compression`,
      );
    }
    const packed = await source.read(position, entry.packedBytes);
    let bytes: Uint8Array;
    try {
      bytes = inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.bytes) });
    } catch {
      throw corrupt(`its entry ${entry.name} does not unpack`);
    }
    if (bytes.length !== entry.bytes || crc32(bytes) !== entry.crc32)
      throw corrupt(`its entry ${entry.name} is damaged: its checksum differs`);
    return { source: memorySource(bytes, source.name), position: 0 };
  }
  let checksum = 0;
  for (let done = 0; done < entry.bytes; done += blockBytes) {
    checksum = crc32(await source.read(position + done, Math.min(blockBytes, entry.bytes - done)), checksum);
  }
  if (checksum !== entry.crc32) throw corrupt(`its entry ${entry.name} is damaged: its checksum differs`);
  return { source, position };
}
