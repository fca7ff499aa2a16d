import { CorruptFileError, InputError } from '@rarefy/core';
import { type ByteSource, type WriteOptions, writeAtomically } from '@rarefy/io';
import { dtypeBytes, embeddingDtype } from '../../table/embedding-dtype.js';
import { checkStoredIds, type EmbeddingIds, toIds } from '../../table/embedding-ids.js';
import type { EmbeddingTable } from '../../table/embedding-table.js';
import { matrixRows } from '../../table/stored-matrix.js';
import { encodedBlocks, type WritableTable } from '../../table/writable-table.js';
import { pickleEmbeddings } from './pickle-embeddings.js';
import type { PickleStorage, PickleTensor, PickleValue } from './pickle-value.js';
import type { PtFile } from './pt-file.js';
import { openLegacyPt } from './pt-legacy.js';
import { openZipPt } from './pt-zip.js';
import { zipArchive } from './zip-writer.js';

/**
 * Embeddings that torch.save wrote, in its zip format or the one before: a dictionary with `ids`, a list of texts or integers or
 * an integer tensor, and `emb` or `embeddings`, a floating-point tensor [rows, columns] with any strides. `metadata` may be a
 * dictionary of texts; other keys are passed over.
 * @throws what unpickle throws; InputError when there are no embeddings in it; CorruptFileError naming what is wrong.
 */
export async function openPtEmbeddings(source: ByteSource): Promise<EmbeddingTable> {
  const { name } = source;
  const isZip = source.size > 1 && (await source.read(0, 1))[0] === 0x50;
  const file = await (isZip ? openZipPt(source) : openLegacyPt(source));
  const saved = entriesOf(file.value);
  const tensor = saved?.get('emb') ?? saved?.get('embeddings');
  const dtype = isTensor(tensor) ? embeddingDtype(tensor.storage.dtype) : undefined;
  if (!isTensor(tensor) || tensor.shape.length !== 2 || !dtype || !saved?.has('ids')) {
    throw new InputError(
      `${name} holds no embeddings: it needs a dictionary with ids and emb, a floating-point tensor [rows, columns]. Save it with torch.save({'ids': ids, 'emb': emb}, path).`,
    );
  }
  const [rows, cols] = tensor.shape as [number, number];
  const { ids, integerIds } = await idsOf(saved.get('ids')!, file, name);
  checkStoredIds(ids, rows, name);
  const values = await tensorRows(tensor, rows, cols, file);
  return { ids, integerIds, metadata: notesOf(saved.get('metadata'), name), dtype, values };
}

/** torch.load(path, weights_only=True) gives `{'ids': list, 'emb': tensor}`, and `metadata` when there is any. */
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
      throw new InputError(`${name}: the tensor ids is no vector of integers.`);
    const place = await file.locate(storage);
    return { ids: await integerTexts(place, storage, offset, shape[0]!, strides[0]!), integerIds: true };
  }
  if (typeof value === 'object' && (value?.type === 'list' || value?.type === 'tuple')) return toIds(value.items, name);
  throw new InputError(`${name}: ids is no list of texts or integers, and no integer tensor.`);
}

async function integerTexts(
  { source, position }: { source: ByteSource; position: number },
  { dtype }: PickleStorage,
  offset: number,
  length: number,
  stride: number,
): Promise<string[]> {
  const size = Number(/\d+/.exec(dtype)) / 8;
  const span = length === 0 ? 0 : (length - 1) * stride + 1;
  const bytes = await source.read(position + offset * size, span * size);
  const view = Buffer.from(bytes.buffer);
  return Array.from({ length }, (_, row) => {
    const at = row * stride * size;
    if (size === 8) return String(view.readBigInt64LE(at));
    return String(dtype === 'U8' ? view[at] : view.readIntLE(at, size));
  });
}

async function tensorRows(tensor: PickleTensor, rows: number, cols: number, file: PtFile) {
  const { storage, offset, strides } = tensor;
  const { source, position } = await file.locate(storage);
  const [rowStride, colStride] = strides as [number, number];
  const start = position + offset * dtypeBytes(embeddingDtype(storage.dtype)!);
  return matrixRows(source, { dtype: storage.dtype, rows, cols, position: start, rowStride, colStride });
}

function notesOf(value: PickleValue | undefined, name: string): Record<string, string> {
  const entries = value === undefined ? new Map() : entriesOf(value);
  if (entries && [...entries].every(([key, note]) => typeof key === 'string' && typeof note === 'string')) {
    return Object.fromEntries(entries as Map<string, string>);
  }
  throw new CorruptFileError(`${name}: metadata is no dictionary of texts. Save it without, or with texts alone.`);
}

function entriesOf(value: PickleValue): Map<PickleValue, PickleValue> | undefined {
  return typeof value === 'object' && value?.type === 'dictionary' ? value.entries : undefined;
}

function isTensor(value: PickleValue | undefined): value is PickleTensor {
  return typeof value === 'object' && value?.type === 'tensor';
}
