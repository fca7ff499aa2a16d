import { CorruptFileError, InputError } from '@rarefy/core';
import { type ByteSource, elementBytes } from '@rarefy/io';
import type { PickleStorage, PickleValue } from './pickle-value.js';
import type { PtFile } from './pt-file.js';
import { unpickle } from './unpickle.js';

const magic = 0x1950a86a20f9469cfc6cn;
const firstBytes = 2 ** 16;
const maxPickleBytes = 2 ** 30;

/**
 * A file of torch.save before PyTorch 1.6: five pickles (a magic number, the version, the machine, what was saved, the keys of the
 * storages), then for each key the number of its elements and their bytes. It has no checksum.
 * @throws what unpickle throws; InputError for another kind of pickle; CorruptFileError when the storages do not fit the file.
 */
export async function openLegacyPt(source: ByteSource): Promise<PtFile> {
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
      if (bytes.length >= maxPickleBytes) throw corrupt('has pickles of over 1 GiB');
      bytes = await source.read(0, Math.min(size, 4 * bytes.length)); // each pickle is read again a few times at most
    }
  };
  if ((await pickle()) !== magic) throw new InputError(`${name} is a pickle that torch.save did not write.`);
  const version = await pickle();
  if (version !== 1001)
    throw new InputError(`${name} is of version ${String(version)} of torch.save's old format, and only 1001 is read.`);
  const machine = await pickle();
  const littleEndian =
    typeof machine === 'object' && machine?.type === 'dictionary' && machine.entries.get('little_endian');
  if (littleEndian !== true) throw new InputError(`${name} does not hold little-endian numbers.`);
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
  const positions = new Map<string, number>();
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? dtypeOf.get(key) : undefined;
    if (!storage || positions.has(storage.key)) throw corrupt('lists a storage that nothing uses, or one twice');
    const length = Buffer.from(await source.read(next, 8)).readBigInt64LE();
    if (length !== BigInt(storage.length)) throw corrupt(`has ${length} elements in a storage of ${storage.length}`);
    positions.set(storage.key, next + 8);
    next += 8 + storage.length * elementBytes[storage.dtype];
    if (next > size) throw corrupt('ends within a storage');
  }
  if (next !== size) throw corrupt(`goes on for ${size - next} bytes after its storages`);
  return {
    value,
    async locate(storage) {
      const position = positions.get(storage.key);
      if (position === undefined) throw corrupt(`lacks the storage ${storage.key}`);
      return { source, position };
    },
  };
}

/** Storages of tensors, however deep; containers may hold themselves. */
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
