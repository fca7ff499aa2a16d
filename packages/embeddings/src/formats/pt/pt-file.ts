import type { ByteSource } from '@rarefy/io';
import type { PickleStorage, PickleValue } from './pickle-value.js';

/** A file of torch.save: what was saved, and where its storages are. */
export interface PtFile {
  readonly value: PickleValue;
  /** @throws CorruptFileError when the file does not hold it, or not all of it. */
  locate(storage: PickleStorage): Promise<{ readonly source: ByteSource; readonly position: number }>;
}
