import type { StoredDtype } from '@rarefy/io';
import { describe, type PickleStorage, type PickleTensor, type PickleValue } from './pickle-value.js';

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

/** The storage of torch's persistent id `('storage', type, key, place, length)`, or what is wrong with it. */
export function toStorage(id: PickleValue): PickleStorage | string {
  if (typeof id !== 'object' || id?.type !== 'tuple') return `has ${describe(id)} for a persistent id`;
  const [kind, type, key, place, length, view = null, ...others] = id.items;
  if (kind !== 'storage' || typeof place !== 'string' || others.length > 0 || view !== null)
    return 'has no persistent id of a storage';
  const dtype = typeof type === 'object' && type?.type === 'global' ? dtypes[type.name] : undefined;
  if (!dtype) return `has ${describe(type)} for the type of a storage`;
  if (typeof key !== 'string' || !/^\d{1,20}$/.test(key)) return `has ${describe(key)} for the key of a storage`;
  if (!isCount(length)) return `has ${describe(length)} for the length of a storage`;
  return { type: 'storage', key, dtype, length };
}

/**
 * The tensor of `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`, or what is wrong with it. All its
 * elements lie in the storage, and are no more than the storage has.
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
