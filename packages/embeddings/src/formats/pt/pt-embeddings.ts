import { CorruptFileError, InputError } from '@rarefy/core';
import { type ByteSource, type WriteOptions, writeAtomically } from '@rarefy/io';
import { checkStoredIds, type EmbeddingIds, toIds } from '../../table/ids.js';
import { matrixRows } from '../../table/matrix-rows.js';
import {
  dtypeBytes,
  type EmbeddingTable,
  embeddingDtype,
  encodedBlocks,
  type WritableTable,
} from '../../table/table.js';
import { zipArchive } from '../zip/write-zip.js';
import { pickleEmbeddings } from './pickle-embeddings.js';
import type { PickleStorage, PickleTensor, PickleValue } from './pickle-value.js';
import { openTorchFile, type PtFile } from './torch-file.js';

/**
 * Embeddings in a file of torch.save: a dictionary with `ids`, a list of strings or integers or an integer tensor, and `emb` or
 * `embeddings`, a floating-point tensor [rows, columns] with any strides. `metadata` may be a dictionary of strings; other keys are
 * ignored.
 * @throws InputError if it has no embeddings; otherwise what {@link openTorchFile} throws.
 */
export async function openPtEmbeddings(source: ByteSource): Promise<EmbeddingTable> {
  const { name } = source;
  const file = await openTorchFile(source);
  const saved = entriesOf(file.value);
  const tensor = saved?.get('emb') ?? saved?.get('embeddings');
  const dtype = isTensor(tensor) ? embeddingDtype(tensor.storage.dtype) : undefined;
  if (!isTensor(tensor) || tensor.shape.length !== 2 || !dtype || !saved?.has('ids')) {
    throw new InputError(
      `${name} has no embeddings: expected a dictionary with ids and emb, a floating-point tensor [rows, columns]. Save it with torch.save({'ids': ids, 'emb': emb}, path).`,
    );
  }
  const [rows, cols] = tensor.shape as [number, number];
  const { ids, integerIds } = await idsOf(saved.get('ids')!, file, name);
  checkStoredIds(ids, rows, name);
  const values = await tensorRows(tensor, rows, cols, file);
  return { ids, integerIds, metadata: notesOf(saved.get('metadata'), name), dtype, values };
}

/** Writes a file for torch.load(path, weights_only=True): `{'ids': list, 'emb': tensor}`, and `metadata` unless it is empty. */
export async function writePtEmbeddings(path: string, table: WritableTable, options: WriteOptions): Promise<void> {
  const { ids, integerIds, metadata, dtype, values } = table;
  const { rows, cols } = values;
  const pickle = pickleEmbeddings({ ids, integerIds, metadata, dtype, rows, cols });
  async function* numbers() {
    for await (const { bytes } of encodedBlocks(table, options)) yield bytes;
  }
  const file = (name: string, bytes: Uint8Array) => ({
    name: `embeddings/${name}`,
    bytes: bytes.length,
    chunks: [bytes],
  });
  const archive = zipArchive([
    file('data.pkl', pickle),
    file('byteorder', Buffer.from('little')),
    { name: 'embeddings/data/0', bytes: rows * cols * dtypeBytes(dtype), chunks: numbers() },
    file('version', Buffer.from('3\n')),
  ]);
  await writeAtomically(path, archive, options);
}

async function idsOf(value: PickleValue, file: PtFile, name: string): Promise<EmbeddingIds> {
  if (isTensor(value)) {
    const { storage, offset, shape, strides } = value;
    if (shape.length !== 1 || !/^[IU]/.test(storage.dtype))
      throw new InputError(`${name}: the tensor ids is not a vector of integers.`);
    const location = await file.locate(storage);
    return { ids: await integerTexts(location, storage, offset, shape[0]!, strides[0]!), integerIds: true };
  }
  if (typeof value === 'object' && (value?.type === 'list' || value?.type === 'tuple')) return toIds(value.items, name);
  throw new InputError(`${name}: ids is neither a list of strings or integers nor an integer tensor.`);
}

async function integerTexts(
  location: { readonly source: ByteSource; readonly offset: number },
  { dtype }: PickleStorage,
  first: number,
  length: number,
  stride: number,
): Promise<string[]> {
  const size = Number(/\d+/.exec(dtype)) / 8;
  const span = length === 0 ? 0 : (length - 1) * stride + 1;
  const bytes = await location.source.read(location.offset + first * size, span * size);
  const view = Buffer.from(bytes.buffer);
  return Array.from({ length }, (_, row) => {
    const at = row * stride * size;
    if (size === 8) return String(view.readBigInt64LE(at));
    return String(dtype === 'U8' ? view[at] : view.readIntLE(at, size));
  });
}

async function tensorRows(tensor: PickleTensor, rows: number, cols: number, file: PtFile) {
  const { storage, strides } = tensor;
  const { source, offset } = await file.locate(storage);
  const [rowStride, colStride] = strides as [number, number];
  const start = offset + tensor.offset * dtypeBytes(embeddingDtype(storage.dtype)!);
  return matrixRows(source, { dtype: storage.dtype, rows, cols, offset: start, rowStride, colStride });
}

function notesOf(value: PickleValue | undefined, name: string): Record<string, string> {
  const entries = value === undefined ? new Map() : entriesOf(value);
  if (entries && [...entries].every(([key, note]) => typeof key === 'string' && typeof note === 'string')) {
    return Object.fromEntries(entries as Map<string, string>);
  }
  throw new CorruptFileError(
    `${name}: metadata is not a dictionary of strings. Save it without metadata, or with strings only.`,
  );
}

function entriesOf(value: PickleValue): Map<PickleValue, PickleValue> | undefined {
  return typeof value === 'object' && value?.type === 'dictionary' ? value.entries : undefined;
}

function isTensor(value: PickleValue | undefined): value is PickleTensor {
  return typeof value === 'object' && value?.type === 'tensor';
}
