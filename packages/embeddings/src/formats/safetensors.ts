import { InputError } from '@rarefy/core';
import {
  type ByteSource,
  encodeSafetensorsHeader,
  parseSafetensorsHeader,
  safetensorsHeaderLength,
  type WriteOptions,
  writeAtomically,
} from '@rarefy/io';
import { checkStoredIds, encodeIds, parseIds } from '../table/ids.js';
import { matrixRows } from '../table/matrix-rows.js';
import {
  type EmbeddingTable,
  embeddingDtype,
  encodedBlocks,
  storedDtypes,
  type WritableTable,
} from '../table/table.js';

/** @throws InputError if a tensor is missing; CorruptFileError if file or ids are not valid. */
export async function openSafetensorsEmbeddings(source: ByteSource): Promise<EmbeddingTable> {
  const { name, size } = source;
  const length = safetensorsHeaderLength(await source.read(0, Math.min(8, size)), size, name);
  const { metadata, tensors } = parseSafetensorsHeader(await source.read(8, length), size - 8 - length, name);
  const stored = tensors.find((tensor) => tensor.name === 'embeddings');
  const storedIds = tensors.find((tensor) => tensor.name === 'ids');
  const dtype = stored && embeddingDtype(stored.dtype);
  if (stored?.shape.length !== 2 || !dtype || storedIds?.dtype !== 'U8') {
    throw new InputError(
      `${name} is not an embedding file: it needs a floating-point tensor \`embeddings\` [rows, columns] and a U8 tensor \`ids\`. Write it with writeEmbeddings().`,
    );
  }
  const [rows, cols] = stored.shape as [number, number];
  const begin = 8 + length;
  const { ids, integerIds } = parseIds(
    await source.read(begin + storedIds.begin, storedIds.end - storedIds.begin),
    name,
  );
  checkStoredIds(ids, rows, name);
  const offset = begin + stored.begin;
  const values = matrixRows(source, { dtype: stored.dtype, rows, cols, offset, rowStride: cols, colStride: 1 });
  return { ids, integerIds, metadata, dtype, values };
}

/**
 * Writes the tensors `embeddings` [rows, columns] and `ids`, a JSON array in UTF-8 stored as U8.
 * @throws what {@link encodedBlocks} and {@link writeAtomically} throw.
 */
export async function writeSafetensorsEmbeddings(
  path: string,
  table: WritableTable,
  options: WriteOptions,
): Promise<void> {
  const { dtype, values, metadata } = table;
  const ids = new TextEncoder().encode(encodeIds(table));
  const tensors = [
    ['embeddings', { dtype: storedDtypes[dtype], shape: [values.rows, values.cols] }],
    ['ids', { dtype: 'U8', shape: [ids.length] }],
  ] as const;
  async function* chunks() {
    yield encodeSafetensorsHeader(tensors, metadata);
    for await (const { bytes } of encodedBlocks(table, options)) yield bytes;
    yield ids;
  }
  await writeAtomically(path, chunks(), options);
}
