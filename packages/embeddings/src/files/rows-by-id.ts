import { type CallOptions, callOptionNames, checkOptions, InputError, type Matrix, type RowSource } from '@rarefy/core';
import { quoted } from '@rarefy/io';
import type { EmbeddingReader } from './embedding-file.js';

/**
 * The rows with some ids, in the order of the ids.
 * @param source names the file in errors
 * @returns the reader itself if it has just these ids in this order, without reading a row; else the rows in memory
 * @throws InputError with the first id that the file lacks, and their number; what `read` of the reader throws.
 */
export async function rowsById(
  reader: EmbeddingReader,
  ids: readonly string[],
  source: string,
  options: CallOptions = {},
): Promise<Matrix | RowSource> {
  checkOptions(options, callOptionNames, 'rowsById');
  const { ids: stored, cols } = reader;
  if (stored.length === ids.length && ids.every((id, row) => id === stored[row])) return reader;
  const rowOf = new Map(stored.map((id, row) => [id, row]));
  const missing = ids.filter((id) => !rowOf.has(id));
  if (missing.length > 0) {
    throw new InputError(
      `${source} lacks ${missing.length} of ${ids.length} prompts; the first one has the id ${quoted(missing[0]!)}.`,
    );
  }
  const all = await reader.read(0, reader.rows, options);
  const data = new Float32Array(ids.length * cols);
  for (const [position, id] of ids.entries()) {
    const row = rowOf.get(id)!;
    data.set(all.data.subarray(row * cols, (row + 1) * cols), position * cols);
  }
  return { data, rows: ids.length, cols };
}
