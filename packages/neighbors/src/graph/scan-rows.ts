import type { TimeSlices } from '@rarefy/core';
import { layOut, loadWasmModule, sharedMemory } from '@rarefy/neighbors-wasm';
import { paddedColumns } from '../distance/canonical-distance.js';
import { distinctRows, groupByHash, noGroups, type RowGroups } from '../rows/equal-rows.js';
import type { RowReader } from '../rows/row-reader.js';
import { notFiniteRow } from '../rows/rows.js';

/** What one pass over all rows finds. */
export interface ScannedRows extends RowGroups {
  /** x · x of each row, by the canonical sum; float64 [rows]. */
  readonly squares: Float64Array;
  /** The first row of each group of equal rows, ascending. */
  readonly distinct: Int32Array;
  /** Mean of a sample of the rows; float64 [cols]. */
  readonly center: Float64Array;
}

/** The functions that the wasm module exports; see `assembly/equal-rows.ts` of neighbors-wasm. */
interface EqualRowsModule {
  scan(source: number, stride: number, count: number, hashes: number, squares: number): number;
}

/** Bytes of rows that are in the memory of the module at a time. */
const stageBytes = 2 ** 21;
/** Rows that the center is computed from, at most. */
const centerRows = 1024;

/**
 * Reads all rows once. They are not held in memory, so rows with equal 128-bit hashes are taken to be equal.
 * @throws NotFiniteError naming the first row with NaN or infinity.
 */
export async function scanRows(reader: RowReader, slices: TimeSlices): Promise<ScannedRows> {
  const { rows, cols, name } = reader;
  const stride = paddedColumns(cols);
  const stageRows = Math.max(1, Math.min(rows, Math.floor(stageBytes / (4 * stride))));
  const { addresses, end } = layOut({ stage: 4 * stride * stageRows, hashes: 16 * stageRows, squares: 8 * stageRows });
  const memory = sharedMemory(end, 'free some memory');
  const instance = await WebAssembly.instantiate(await loadWasmModule('equal-rows'), { env: { memory } });
  const { scan } = instance.exports as unknown as EqualRowsModule;
  const stage = new Float32Array(memory.buffer, addresses.stage, stride * stageRows);
  const squares = new Float64Array(rows);
  const hashes = new Uint32Array(4 * rows);
  const center = new Float64Array(cols);
  const step = Math.ceil(rows / centerRows);
  for (let start = 0; start < rows; start += stageRows) {
    const stop = Math.min(start + stageRows, rows);
    await reader.copy(start, stop, stage, stride, slices);
    const bad = scan(addresses.stage, stride, stop - start, addresses.hashes, addresses.squares);
    if (bad >= 0) throw notFiniteRow(stage.subarray(bad * stride, bad * stride + cols), start + bad, name);
    squares.set(new Float64Array(memory.buffer, addresses.squares, stop - start), start);
    hashes.set(new Uint32Array(memory.buffer, addresses.hashes, 4 * (stop - start)), 4 * start);
    for (let row = Math.ceil(start / step) * step; row < stop; row += step) {
      for (let c = 0; c < cols; c++) center[c]! += stage[(row - start) * stride + c]! / Math.ceil(rows / step);
    }
    if (slices.due()) await slices.pause();
  }
  const groups = noGroups(rows);
  await groupByHash(groups, 0, rows, hashes, () => true, slices);
  return { ...groups, squares, distinct: distinctRows(groups), center };
}
