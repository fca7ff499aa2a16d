import type { StoredDtype } from '@rarefy/io';

/** What the opcodes of {@link unpickle} can make: data alone. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleList
  | PickleTuple
  | PickleDictionary
  | PickleGlobal
  | PickleStorage
  | PickleTensor;

export interface PickleList {
  readonly type: 'list';
  readonly items: PickleValue[];
}

export interface PickleTuple {
  readonly type: 'tuple';
  readonly items: readonly PickleValue[];
}

/** A dict or an OrderedDict. */
export interface PickleDictionary {
  readonly type: 'dictionary';
  readonly entries: Map<PickleValue, PickleValue>;
}

/** A name of the closed list; nothing is imported for it. */
export interface PickleGlobal {
  readonly type: 'global';
  readonly name: string;
}

/** Numbers that lie elsewhere in the file, under a key. */
export interface PickleStorage {
  readonly type: 'storage';
  readonly key: string;
  readonly dtype: StoredDtype;
  /** Elements, as the pickle has it; not yet compared with the file. */
  readonly length: number;
}

/** A view of a storage; offset and strides in elements. Every element lies within `storage.length`. */
export interface PickleTensor {
  readonly type: 'tensor';
  readonly storage: PickleStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** In words, for errors. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value !== 'object') return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(value);
  return value.type === 'global' ? value.name : `a ${value.type}`;
}
