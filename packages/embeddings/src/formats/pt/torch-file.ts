import { CorruptFileError, InputError } from '@rarefy/core';
import { type ByteSource, elementBytes } from '@rarefy/io';
import { openZipEntry, readZipDirectory } from '../zip/read-zip.js';
import type { PickleStorage, PickleValue } from './pickle-value.js';
import { unpickle } from './unpickle.js';

/** An open file of torch.save. */
export interface PtFile {
  /** The saved object. */
  readonly value: PickleValue;
  /** Location of a storage's numbers. @throws CorruptFileError if the file does not contain all of it. */
  locate(storage: PickleStorage): Promise<{ readonly source: ByteSource; readonly offset: number }>;
}

/**
 * Opens a file of torch.save, in its zip format or the one before.
 * @throws InputError for a file of another kind, a pickle that is not allowed, or big-endian numbers; CorruptFileError if it is
 * damaged.
 */
export async function openTorchFile(source: ByteSource): Promise<PtFile> {
  const isZip = source.size > 1 && (await source.read(0, 1))[0] === 0x50;
  return isZip ? openZip(source) : openLegacy(source);
}

/** The format of torch.save since PyTorch 1.6: a zip archive with `data.pkl` and one entry per storage, all in one folder. */
async function openZip(archive: ByteSource): Promise<PtFile> {
  const { name } = archive;
  const entries = await readZipDirectory(archive);
  const pickles = [...entries.keys()].filter((entry) => /^[^/]+\/data\.pkl$/.test(entry));
  if (pickles.length !== 1)
    throw new InputError(`${name} is a zip archive, but not of torch.save: it has ${pickles.length} entries data.pkl.`);
  const folder = pickles[0]!.slice(0, -'data.pkl'.length);
  const readEntry = async (entryName: string) => {
    const entry = entries.get(entryName)!;
    const { source, offset } = await openZipEntry(archive, entry);
    return source.read(offset, entry.bytes);
  };
  if (
    entries.has(`${folder}byteorder`) &&
    Buffer.from(await readEntry(`${folder}byteorder`)).toString('latin1') !== 'little'
  ) {
    throw new InputError(`${name} has big-endian numbers. Save it on a little-endian machine.`);
  }
  const pickle = await readEntry(pickles[0]!);
  const read = unpickle(pickle, 0, `${name}, ${pickles[0]}`);
  if (read?.end !== pickle.length)
    throw new CorruptFileError(`${name}, ${pickles[0]} does not end with its pickle. Copy or write it again.`);
  return {
    value: read.value,
    async locate({ key, dtype, length }) {
      const entry = entries.get(`${folder}data/${key}`);
      if (entry?.bytes !== length * elementBytes[dtype]) {
        throw new CorruptFileError(
          `${name} has ${entry ? `${entry.bytes} bytes` : 'no entry'} for the ${length} ${dtype} of storage ${key}. Copy or write it again.`,
        );
      }
      return openZipEntry(archive, entry);
    },
  };
}

const magic = 0x1950a86a20f9469cfc6cn;
const firstBytes = 2 ** 16;
const maxPickleBytes = 2 ** 30;

/**
 * The format of torch.save before PyTorch 1.6: five pickles (a magic number, the version, the machine, the saved object, the keys
 * of the storages), then for each key the number of elements and their bytes. It has no checksum.
 */
async function openLegacy(source: ByteSource): Promise<PtFile> {
  const { name, size } = source;
  const corrupt = (what: string) => new CorruptFileError(`${name} ${what}. Copy, download or write it again.`);
  let bytes = await source.read(0, Math.min(size, firstBytes));
  let next = 0;
  const pickle = async (): Promise<PickleValue> => {
    for (;;) {
      const read = unpickle(bytes, next, name);
      if (read) {
        next = read.end;
        return read.value;
      }
      if (bytes.length === size) throw corrupt('ends within a pickle');
      if (bytes.length >= maxPickleBytes) throw corrupt('has pickles of more than 1 GiB');
      bytes = await source.read(0, Math.min(size, 4 * bytes.length)); // reads each pickle again a few times at most
    }
  };
  if ((await pickle()) !== magic) throw new InputError(`${name} is a pickle, but not of torch.save.`);
  const version = await pickle();
  if (version !== 1001)
    throw new InputError(`${name} has version ${String(version)} of torch.save's old format; only 1001 is supported.`);
  const machine = await pickle();
  const littleEndian =
    typeof machine === 'object' && machine?.type === 'dictionary' && machine.entries.get('little_endian');
  if (littleEndian !== true) throw new InputError(`${name} does not have little-endian numbers.`);
  const value = await pickle();
  const keys = await pickle();
  if (typeof keys !== 'object' || keys?.type !== 'list') throw corrupt('has no list of storages');

  const dtypeOf = new Map<string, PickleStorage>();
  for (const storage of storagesIn(value)) {
    const known = dtypeOf.get(storage.key);
    if (known && (known.dtype !== storage.dtype || known.length !== storage.length))
      throw corrupt(`has two storages ${storage.key}`);
    dtypeOf.set(storage.key, storage);
  }
  const offsets = new Map<string, number>();
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? dtypeOf.get(key) : undefined;
    if (!storage || offsets.has(storage.key)) throw corrupt('lists a storage that is not used, or one twice');
    const length = Buffer.from(await source.read(next, 8)).readBigInt64LE();
    if (length !== BigInt(storage.length))
      throw corrupt(`has ${length} elements in storage ${storage.key}, expected ${storage.length}`);
    offsets.set(storage.key, next + 8);
    next += 8 + storage.length * elementBytes[storage.dtype];
    if (next > size) throw corrupt('ends within a storage');
  }
  if (next !== size) throw corrupt(`has ${size - next} bytes after its storages`);
  return {
    value,
    async locate(storage) {
      const offset = offsets.get(storage.key);
      if (offset === undefined) throw corrupt(`lacks the storage ${storage.key}`);
      return { source, offset };
    },
  };
}

/** Storages of all tensors in a value. Containers may contain themselves. */
function storagesIn(value: PickleValue): PickleStorage[] {
  const found: PickleStorage[] = [];
  const seen = new Set<PickleValue>();
  const open: PickleValue[] = [value];
  for (let current = open.pop(); current !== undefined; current = open.pop()) {
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    if (current.type === 'tensor') found.push(current.storage);
    else if (current.type === 'storage') found.push(current);
    else if (current.type === 'dictionary') for (const entry of current.entries) open.push(...entry);
    else if (current.type !== 'global') for (const item of current.items) open.push(item);
  }
  return found;
}
