import { crc32, inflateRawSync } from 'node:zlib';
import { CorruptFileError } from '@rarefy/core';
import { type ByteSource, checkName, memorySource } from '@rarefy/io';

/** An entry of the central directory. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc32: number;
  /** Size in the archive. */
  readonly packedBytes: number;
  /** Size after decompression. */
  readonly bytes: number;
  /** Of its local header in the archive. */
  readonly offset: number;
}

const localBytes = 30; // fixed part of a local header
const endBytes = 22;
const locatorBytes = 20;
const end64Bytes = 56;
const maxEntries = 2 ** 16;
const blockBytes = 2 ** 22; // read at a time for a checksum

/** Makes the errors about one archive. */
function corruptZip(name: string): (what: string) => CorruptFileError {
  return (what) =>
    new CorruptFileError(`${name} is not a valid zip archive: ${what}. Copy, download or write it again.`);
}

/**
 * The entries of an untrusted zip archive, ZIP64 or not, by name. The archive must end with its central directory, without a
 * comment; no two entries may share bytes or a name; names must stay inside their folder.
 * Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 * @throws CorruptFileError that names the first rule broken.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { name, size } = source;
  const corrupt = corruptZip(name);
  const tailBytes = Math.min(size, end64Bytes + locatorBytes + endBytes);
  if (tailBytes < endBytes) throw corrupt(`it has ${size} bytes`);
  const tail = viewOf(await source.read(size - tailBytes, tailBytes));
  const end = tailBytes - endBytes;
  if (tail.getUint32(end, true) !== 0x06054b50)
    throw corrupt('it does not end with a central directory; it may be truncated');
  if (tail.getUint32(end + 4, true) !== 0) throw corrupt('it is part of a multi-disk archive');
  let count = tail.getUint16(end + 10, true);
  let length = tail.getUint32(end + 12, true);
  let start = tail.getUint32(end + 16, true);
  let after = size - endBytes; // first byte after the central directory
  if (end >= locatorBytes && tail.getUint32(end - locatorBytes, true) === 0x07064b50) {
    after = size - endBytes - locatorBytes - end64Bytes;
    if (after < 0 || tail.getUint32(0, true) !== 0x06064b50)
      throw corrupt('it has no ZIP64 end record where it must be');
    if (readUint64(tail, end - locatorBytes + 8) !== after)
      throw corrupt('its ZIP64 end record is not where its locator says');
    count = readUint64(tail, 32);
    length = readUint64(tail, 40);
    start = readUint64(tail, 48);
  }
  if (start + length !== after)
    throw corrupt(`its central directory claims ${length} bytes at ${start}, but ends at ${after}`);
  if (count > maxEntries) throw corrupt(`it has ${count} entries; at most ${maxEntries} are allowed`);

  const directory = await source.read(start, length);
  const entries = parseEntries(directory, count, name);
  let free = 0; // end of the entries so far
  for (const entry of [...entries.values()].sort((a, b) => a.offset - b.offset)) {
    if (entry.offset < free) throw corrupt(`its entry ${entry.name} overlaps the previous one`);
    free = entry.offset + localBytes + Buffer.byteLength(entry.name) + entry.packedBytes;
    if (free > start) throw corrupt(`its entry ${entry.name} reaches into the central directory`);
  }
  return entries;
}

/**
 * The data of an entry, after its checksum was verified: a source, and the offset of the data in it. A stored entry stays in the
 * file and is read once for the checksum; a deflated one is decompressed into memory, up to twice the size of the archive.
 * @throws CorruptFileError if the checksum differs, or the entry does not decompress to its size or is too large.
 */
export async function openZipEntry(
  source: ByteSource,
  entry: ZipEntry,
): Promise<{ readonly source: ByteSource; readonly offset: number }> {
  const corrupt = corruptZip(source.name);
  const offset = await dataOffset(source, entry);
  if (entry.method === 'deflated') {
    if (entry.bytes > 2 * source.size) {
      throw corrupt(
        `its entry ${entry.name} decompresses to ${entry.bytes} bytes, more than twice the archive; store it without compression`,
      );
    }
    const packed = await source.read(offset, entry.packedBytes);
    let bytes: Uint8Array;
    try {
      bytes = inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.bytes) });
    } catch {
      throw corrupt(`its entry ${entry.name} cannot be decompressed`);
    }
    if (bytes.length !== entry.bytes || crc32(bytes) !== entry.crc32)
      throw corrupt(`its entry ${entry.name} is damaged: its checksum differs`);
    return { source: memorySource(bytes, source.name), offset: 0 };
  }
  let checksum = 0;
  for (let done = 0; done < entry.bytes; done += blockBytes) {
    checksum = crc32(await source.read(offset + done, Math.min(blockBytes, entry.bytes - done)), checksum);
  }
  if (checksum !== entry.crc32) throw corrupt(`its entry ${entry.name} is damaged: its checksum differs`);
  return { source, offset };
}

/**
 * Offset of an entry's data.
 * @throws CorruptFileError if the entry's local header is missing or differs from the directory.
 */
async function dataOffset(source: ByteSource, entry: ZipEntry): Promise<number> {
  const corrupt = corruptZip(source.name);
  const nameBytes = Buffer.from(entry.name);
  const bytes = await source.read(entry.offset, localBytes + nameBytes.length);
  const local = viewOf(bytes);
  const sameName = local.getUint16(26, true) === nameBytes.length && nameBytes.equals(bytes.subarray(localBytes));
  const sameMethod = local.getUint16(8, true) === (entry.method === 'stored' ? 0 : 8);
  if (local.getUint32(0, true) !== 0x04034b50 || !sameName || !sameMethod) {
    throw corrupt(`its entry ${entry.name} has a local header that differs from the directory`);
  }
  const offset = entry.offset + bytes.length + local.getUint16(28, true);
  if (offset + entry.packedBytes > source.size)
    throw corrupt(`its entry ${entry.name} reaches past the end of the archive`);
  return offset;
}

function parseEntries(directory: Uint8Array, count: number, archive: string): Map<string, ZipEntry> {
  const corrupt = corruptZip(archive);
  const view = viewOf(directory);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > directory.length || view.getUint32(at, true) !== 0x02014b50)
      throw corrupt(`it has no entry ${index} of ${count}`);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > directory.length) throw corrupt(`its directory ends within entry ${index}`);
    const name = Buffer.from(directory.buffer, directory.byteOffset + at + 46, nameLength).toString('utf8');
    checkName(name, archive);
    if (entries.has(name)) throw corrupt(`it has the entry ${name} twice`);
    const flags = view.getUint16(at + 8, true);
    if (flags & 0x2041) throw corrupt(`its entry ${name} is encrypted`);
    const method = view.getUint16(at + 10, true);
    if (method !== 0 && method !== 8)
      throw corrupt(`its entry ${name} is compressed with method ${method}; supported are 0 and 8`);
    const wide = {
      bytes: view.getUint32(at + 24, true),
      packedBytes: view.getUint32(at + 20, true),
      offset: view.getUint32(at + 42, true),
    };
    if (!widen(wide, view, at + 46 + nameLength, extraLength)) throw corrupt(`its entry ${name} lacks its ZIP64 sizes`);
    if (method === 0 && wide.bytes !== wide.packedBytes)
      throw corrupt(`its entry ${name} is stored, but its sizes differ`);
    entries.set(name, {
      name,
      method: method === 0 ? 'stored' : 'deflated',
      crc32: view.getUint32(at + 16, true),
      ...wide,
    });
    at = next;
  }
  if (at !== directory.length) throw corrupt(`it has more than the ${count} entries it claims`);
  return entries;
}

/** Reads the sizes that do not fit in 32 bits from the ZIP64 part of the extra field. Returns false if they are missing. */
function widen(
  entry: { bytes: number; packedBytes: number; offset: number },
  view: DataView,
  start: number,
  length: number,
): boolean {
  const missing = (['bytes', 'packedBytes', 'offset'] as const).filter((field) => entry[field] === 0xffffffff);
  if (missing.length === 0) return true;
  for (let at = start; at + 4 <= start + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    const fieldBytes = view.getUint16(at + 2, true);
    if (fieldBytes < 8 * missing.length || at + 4 + fieldBytes > start + length) return false;
    missing.forEach((field, index) => {
      entry[field] = readUint64(view, at + 4 + 8 * index);
    });
    return true;
  }
  return false;
}

/** Not exact above 2^53, but then larger than any file. */
function readUint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
