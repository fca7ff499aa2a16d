import { CorruptFileError, InputError } from '@rarefy/core';
import { type ByteSource, elementBytes } from '@rarefy/io';
import type { PtFile } from './pt-file.js';
import { openZipEntry } from './read-zip-entry.js';
import { unpickle } from './unpickle.js';
import { readZipDirectory } from './zip-directory.js';

/**
 * A file of torch.save since PyTorch 1.6: a zip archive of `data.pkl` and one entry a storage, all in one folder.
 * @throws what readZipDirectory, openZipEntry and unpickle throw; InputError for an archive of another kind or big-endian numbers.
 */
export async function openZipPt(archive: ByteSource): Promise<PtFile> {
  const { name } = archive;
  const entries = await readZipDirectory(archive);
  const pickles = [...entries.keys()].filter((entry) => /^[^/]+\/data\.pkl$/.test(entry));
  if (pickles.length !== 1)
    throw new InputError(
      `${name} is a zip archive that torch.save did not write: it has ${pickles.length} entries data.pkl.`,
    );
  const folder = pickles[0]!.slice(0, -'data.pkl'.length);
  const readEntry = async (entryName: string) => {
    const entry = entries.get(entryName)!;
    const { source, position } = await openZipEntry(archive, entry);
    return source.read(position, entry.bytes);
  };
  if (
    entries.has(`${folder}byteorder`) &&
    Buffer.from(await readEntry(`${folder}byteorder`)).toString('latin1') !== 'little'
  ) {
    throw new InputError(`${name} holds big-endian numbers. Save it on a little-endian machine.`);
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
