import type { StoredDtype } from '@rarefy/io';

/** Values that a pickle can create here: only data. */
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

/** A name of the list of allowed names. Nothing is imported for it. */
export interface PickleGlobal {
  readonly type: 'global';
  readonly name: string;
}

/** Numbers stored elsewhere in the file, under a key. */
export interface PickleStorage {
  readonly type: 'storage';
  readonly key: string;
  readonly dtype: StoredDtype;
  /** Number of elements as the pickle claims it; not yet compared with the file. */
  readonly length: number;
}

/** A view of a storage; offset and strides in elements. Every element lies inside the storage. */
export interface PickleTensor {
  readonly type: 'tensor';
  readonly storage: PickleStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A value in words, for messages. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value !== 'object') return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(value);
  return value.type === 'global' ? value.name : `a ${value.type}`;
}

const dtypes: Readonly<Record<string, StoredDtype>> = {
  'torch.DoubleStorage': 'F64',
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

const maxDimensions = 8;

/** The storage of torch's persistent id `('storage', type, key, device, length)`, or what is wrong with it. */
export function toStorage(id: PickleValue): PickleStorage | string {
  if (typeof id !== 'object' || id?.type !== 'tuple') return `has ${describe(id)} as a persistent id`;
  const [kind, type, key, device, length, view = null, ...others] = id.items;
  if (kind !== 'storage' || typeof device !== 'string' || others.length > 0 || view !== null)
    return 'has a persistent id that is not a storage';
  const dtype = typeof type === 'object' && type?.type === 'global' ? dtypes[type.name] : undefined;
  if (!dtype) return `has ${describe(type)} as the type of a storage`;
  if (typeof key !== 'string' || !/^\d{1,20}$/.test(key)) return `has ${describe(key)} as the key of a storage`;
  if (!isCount(length)) return `has ${describe(length)} as the length of a storage`;
  return { type: 'storage', key, dtype, length };
}

/**
 * The tensor of `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`, or what is wrong with it. Checks that
 * all elements lie in the storage, and that there are no more of them than the storage has.
 */
export function rebuildTensor(items: readonly PickleValue[]): PickleTensor | string {
  const [storage, offset, shape, strides] = items;
  if (items.length < 6 || items.length > 7) return `rebuilds a tensor from ${items.length} arguments`;
  if (typeof storage !== 'object' || storage?.type !== 'storage') return `rebuilds a tensor from ${describe(storage)}`;
  const lengths = toCounts(shape);
  const steps = toCounts(strides);
  if (!isCount(offset) || !lengths || !steps || lengths.length !== steps.length)
    return 'rebuilds a tensor without a shape and strides';
  let elements = 1;
  let last = offset;
  for (const [dimension, length] of lengths.entries()) {
    elements *= length;
    last += Math.max(0, length - 1) * steps[dimension]!;
  }
  if (elements > 0 && last >= storage.length)
    return `rebuilds a tensor that reaches element ${last} of ${storage.length}`;
  if (elements > storage.length) {
    return `rebuilds a tensor of ${elements} elements from ${storage.length}; save it with .contiguous()`;
  }
  return { type: 'tensor', storage, offset, shape: lengths, strides: steps };
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function toCounts(value: PickleValue | undefined): number[] | undefined {
  if (typeof value !== 'object' || value?.type !== 'tuple' || value.items.length > maxDimensions) return undefined;
  return value.items.every(isCount) ? (value.items as number[]) : undefined;
}
