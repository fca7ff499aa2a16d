import { CorruptFileError } from '@rarefy/core';
import { type ByteSource, checkName } from '@rarefy/io';

/** An entry of a zip archive, as its central directory has it. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc32: number;
  /** In the archive. */
  readonly packedBytes: number;
  /** Unpacked. */
  readonly bytes: number;
  /** Of its local header. */
  readonly position: number;
}

const endBytes = 22;
const locatorBytes = 20;
const end64Bytes = 56;
const maxEntries = 2 ** 16;

/** Errors that name the archive. */
export function corruptZip(name: string): (what: string) => CorruptFileError {
  return (what) => new CorruptFileError(`${name} is no sound zip archive: ${what}. Copy, download or write it again.`);
}

/**
 * The entries of a zip archive, ZIP64 or not, by name. It must end with its central directory, without a comment; no two entries
 * may share bytes or a name; names must stay in their folder. Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 * @throws CorruptFileError naming the first rule broken.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { name, size } = source;
  const corrupt = corruptZip(name);
  const tailBytes = Math.min(size, end64Bytes + locatorBytes + endBytes);
  if (tailBytes < endBytes) throw corrupt(`it has ${size} bytes`);
  const tail = viewOf(await source.read(size - tailBytes, tailBytes));
  const end = tailBytes - endBytes;
  if (tail.getUint32(end, true) !== 0x06054b50)
    throw corrupt('it does not end with a central directory; it may be cut off');
  if (tail.getUint32(end + 4, true) !== 0) throw corrupt('it is one of several disks');
  let count = tail.getUint16(end + 10, true);
  let length = tail.getUint32(end + 12, true);
  let start = tail.getUint32(end + 16, true);
  let after = size - endBytes; // first byte after the central directory
  if (end >= locatorBytes && tail.getUint32(end - locatorBytes, true) === 0x07064b50) {
    after = size - endBytes - locatorBytes - end64Bytes;
    if (after < 0 || tail.getUint32(0, true) !== 0x06064b50) throw corrupt('it has no ZIP64 end where it must be');
    if (readUint64(tail, end - locatorBytes + 8) !== after) throw corrupt('its ZIP64 end is said to be elsewhere');
    count = readUint64(tail, 32);
    length = readUint64(tail, 40);
    start = readUint64(tail, 48);
  }
  if (start + length !== after)
    throw corrupt(`its central directory is said to be ${length} bytes from ${start} on, and ends at ${after}`);
  if (count > maxEntries) throw corrupt(`it has ${count} entries, and at most ${maxEntries} are read`);

  const directory = await source.read(start, length);
  const entries = parseEntries(directory, count, name);
  let free = 0; // first byte that no entry has taken
  for (const entry of [...entries.values()].sort((a, b) => a.position - b.position)) {
    if (entry.position < free) throw corrupt(`its entry ${entry.name} overlaps the one before`);
    free = entry.position + localBytes + Buffer.byteLength(entry.name) + entry.packedBytes;
    if (free > start) throw corrupt(`its entry ${entry.name} reaches into the central directory`);
  }
  return entries;
}

const localBytes = 30;

/**
 * Position of an entry's data.
 * @throws CorruptFileError when the entry's own header is not there, or says another name or method than the directory.
 */
export async function zipDataPosition(source: ByteSource, entry: ZipEntry): Promise<number> {
  const corrupt = corruptZip(source.name);
  const nameBytes = Buffer.from(entry.name);
  const bytes = await source.read(entry.position, localBytes + nameBytes.length);
  const local = viewOf(bytes);
  const sameName = local.getUint16(26, true) === nameBytes.length && nameBytes.equals(bytes.subarray(localBytes));
  const sameMethod = local.getUint16(8, true) === (entry.method === 'stored' ? 0 : 8);
  if (local.getUint32(0, true) !== 0x04034b50 || !sameName || !sameMethod) {
    throw corrupt(`its entry ${entry.name} has another header than the directory says`);
  }
  const position = entry.position + bytes.length + local.getUint16(28, true);
  if (position + entry.packedBytes > source.size) throw corrupt(`its entry ${entry.name} reaches past its end`);
  return position;
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
      throw corrupt(`its entry ${name} is packed by method ${method}, and only 0 and 8 are read`);
    const wide = {
      bytes: view.getUint32(at + 24, true),
      packedBytes: view.getUint32(at + 20, true),
      position: view.getUint32(at + 42, true),
    };
    if (!widen(wide, view, at + 46 + nameLength, extraLength)) throw corrupt(`its entry ${name} lacks its ZIP64 sizes`);
    if (method === 0 && wide.bytes !== wide.packedBytes) throw corrupt(`its entry ${name} is stored and has two sizes`);
    entries.set(name, {
      name,
      method: method === 0 ? 'stored' : 'deflated',
      crc32: view.getUint32(at + 16, true),
      ...wide,
    });
    at = next;
  }
  if (at !== directory.length) throw corrupt(`it has more entries than the ${count} it says`);
  return entries;
}

/** Sizes that do not fit 32 bits are in the ZIP64 part of the extra field. False when they are not. */
function widen(
  entry: { bytes: number; packedBytes: number; position: number },
  view: DataView,
  start: number,
  length: number,
): boolean {
  const missing = (['bytes', 'packedBytes', 'position'] as const).filter((field) => entry[field] === 0xffffffff);
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

/** Above 2^53 it loses digits, and is larger than any file all the same. */
function readUint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
