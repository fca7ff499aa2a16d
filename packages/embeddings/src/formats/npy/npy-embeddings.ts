import { InputError } from '@rarefy/core';
import { type ByteSource, nodeFileSystem, orFileError, type WriteOptions, writeAtomically } from '@rarefy/io';
import { embeddingDtype } from '../../table/embedding-dtype.js';
import { checkStoredIds } from '../../table/embedding-ids.js';
import type { EmbeddingTable } from '../../table/embedding-table.js';
import { encodeIds, parseIds } from '../../table/ids-json.js';
import { matrixRows } from '../../table/stored-matrix.js';
import { encodedBlocks, type WritableTable } from '../../table/writable-table.js';
import { encodeNpyHeader, npyHeadBytes, parseNpyHeader } from './npy-header.js';

/** The ids of `x.npy` lie beside it in `x.ids.json`. */
export function idsPathOf(npyPath: string): string {
  return `${npyPath.replace(/\.npy$/i, '')}.ids.json`;
}

/** @throws what parseNpyHeader and parseIds throw; InputError unless it is a floating-point matrix; CorruptFileError for a wrong number of ids. */
export async function openNpyEmbeddings(source: ByteSource, idsSource: ByteSource): Promise<EmbeddingTable> {
  const header = parseNpyHeader(await source.read(0, Math.min(source.size, npyHeadBytes)), source.size, source.name);
  const { dtype, shape, fortranOrder, position } = header;
  const known = embeddingDtype(dtype);
  if (shape.length !== 2 || !known) {
    throw new InputError(
      `${source.name} holds no embeddings: it needs floating-point [rows, columns], and has ${dtype} [${shape}].`,
    );
  }
  const [rows, cols] = shape as [number, number];
  const [rowStride, colStride] = fortranOrder ? [1, rows] : [cols, 1];
  const { ids, integerIds, metadata } = parseIds(await idsSource.read(0, idsSource.size), idsSource.name);
  checkStoredIds(ids, rows, idsSource.name);
  const values = matrixRows(source, { dtype, rows, cols, position, rowStride, colStride });
  return { ids, integerIds, metadata, dtype: known, values };
}

/**
 * The matrix, and its ids with the metadata beside it. The old ids go before the new matrix is in place, so that a killed writer
 * never leaves a matrix with the ids of another.
 * @throws what encodedBlocks and writeAtomically throw.
 */
export async function writeNpyEmbeddings(path: string, table: WritableTable, options: WriteOptions): Promise<void> {
  const { dtype, values, metadata } = table;
  const { fileSystem = nodeFileSystem } = options;
  const idsPath = idsPathOf(path);
  async function* chunks() {
    yield encodeNpyHeader(dtype === 'float16' ? '<f2' : '<f4', values.rows, values.cols);
    for await (const { bytes } of encodedBlocks(table, options)) yield bytes;
    await orFileError('write', idsPath, fileSystem.remove(idsPath));
  }
  await writeAtomically(path, chunks(), options);
  const notes = Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
  const json = `{"ids":${encodeIds(table)},"metadata":${JSON.stringify(notes)}}\n`;
  await writeAtomically(idsPath, new TextEncoder().encode(json), options);
}
