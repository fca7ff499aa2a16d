import {
  type CallOptions,
  InvalidArgumentError,
  type Matrix,
  type Metric,
  type Neighbors,
  NotFiniteError,
  type RowSource,
  ShapeError,
  timeSlices,
} from '@rarefy/core';
import { loadKernel } from '../kernels/load-kernel.js';
import { canonicalDistance, innerProduct } from './canonical-distance.js';
import { neighborLists } from './neighbor-lists.js';
import { boundDistance, type DistanceBounds, type QuantisedBlock, quantiseBlock } from './quantised-block.js';
import type { Rows } from './rows.js';

/** Rows of one call of the kernel: about 10 ms at 50,304 columns. */
const lineRows = 16;
const pageBytes = 65_536;
/** Where the int16 rows begin; what is below belongs to the kernel. */
const firstByte = 1024;

export interface BlockJoinOptions extends CallOptions {
  /** Neighbours a row; an integer from 1 to rows - 1. */
  readonly k: number;
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** Memory for rows, in bytes; default 256 MiB. Below it blocks hold at least 16 rows. */
  readonly memoryBytes?: number;
}

/** A block of rows in memory, and its int16 rows at `address` of the kernel's memory. */
interface Block {
  readonly start: number;
  readonly rows: Rows;
  readonly quantised: QuantisedBlock;
  /** Of the rows as they are. */
  readonly lengths: Float64Array;
  readonly address: number;
}

interface Products {
  products(x: number, xRows: number, y: number, yRows: number, width: number, out: number): void;
}

/**
 * The k nearest other rows of every row of a source that does not fit in memory, exact: rows come in blocks, and every pair of
 * blocks is met once. Products of int16 rows bound each distance; only pairs that may still come into a list get their
 * canonical distance, so the answer is that of `exactIndex`, to the last bit. For wide rows: about 0.07 ns a pair and column on one
 * core; the rows are read rows / (2 x rows a block) times.
 *
 * @throws InvalidArgumentError when k is not in [1, rows - 1]; NotFiniteError naming the row of a NaN or infinity; what the source
 * throws; the signal's reason on abort.
 */
export async function blockJoin(
  source: RowSource,
  { k, metric = 'euclidean', memoryBytes = 2 ** 28, signal, onEvent }: BlockJoinOptions,
): Promise<Neighbors> {
  const { rows: total, cols } = source;
  if (!Object.hasOwn(canonicalDistance, metric)) {
    throw new InvalidArgumentError(`metric must be one of ${Object.keys(canonicalDistance).join(', ')}, got ${metric}`);
  }
  if (!(Number.isInteger(k) && k >= 1)) throw new InvalidArgumentError(`k must be an integer ≥ 1, got ${k}`);
  if (k > total - 1) {
    throw new InvalidArgumentError(
      `k = ${k} neighbours need at least ${k + 1} rows and there are ${total}; choose a smaller k`,
    );
  }
  const task = 'self-join';
  const started = performance.now();
  const slices = timeSlices(signal);
  onEvent?.({ type: 'work-start', task, total });
  const width = Math.ceil(cols / 8) * 8;
  const size = blockRows(total, width, memoryBytes);

  const blockBytes = size * width * 2;
  const out = firstByte + 2 * blockBytes;
  const bytes = out + size * size * 4;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes), maximum: 65_536, shared: true });
  const { exports } = await WebAssembly.instantiate(await loadKernel('products'), { env: { memory } });
  const { products } = exports as unknown as Products;

  let centre: Float32Array | undefined;
  const load = async (start: number, address: number): Promise<Block> => {
    const end = Math.min(start + size, total);
    const matrix = await source.read(start, end, { signal });
    signal?.throwIfAborted();
    if (matrix.rows !== end - start || matrix.cols !== cols) {
      throw new ShapeError(
        `the source gave ${matrix.rows} x ${matrix.cols} for rows ${start} to ${end - 1} of ${cols} columns`,
      );
    }
    const rows = rowsOf(matrix, width, start);
    centre ??= metric === 'euclidean' ? meanRow(rows) : new Float32Array(cols);
    const view = new Int16Array(memory.buffer, address, size * width);
    const quantised = await quantiseBlock(rows, centre, view, width, slices);
    return { start, rows, quantised, lengths: rows.squaredNorms.map(Math.sqrt), address };
  };

  const lists = neighborLists(total, k);
  const limits = neighborLists(total, k); // the k least upper bounds of every row: no neighbour lies beyond the k-th
  const bounds: DistanceBounds = { least: 0, most: 0 };
  const distance = canonicalDistance[metric];
  const blocks = Math.ceil(total / size);
  const pairs = (blocks * (blocks + 1)) / 2;
  let met = 0;
  let compared = 0;
  const meet = async (one: Block, other: Block) => {
    const line = even(other.rows.rows);
    for (let top = 0; top < one.rows.rows; top += lineRows) {
      products(one.address + top * width * 2, lineRows, other.address, line, width, out + top * line * 4);
      if (slices.due()) await slices.pause();
    }
    const found = new Int32Array(memory.buffer, out, one.rows.rows * line);
    const bound = (i: number, j: number) =>
      boundDistance(
        metric,
        one.quantised,
        i,
        one.lengths[i]!,
        other.quantised,
        j,
        other.lengths[j]!,
        found[i * line + j]!,
        bounds,
      );
    for (let i = 0; i < one.rows.rows; i++) {
      for (let j = one === other ? i + 1 : 0; j < other.rows.rows; j++) {
        bound(i, j);
        limits.offer(one.start + i, bounds.most, other.start + j);
        limits.offer(other.start + j, bounds.most, one.start + i);
      }
      if (slices.due()) await slices.pause();
    }
    for (let i = 0; i < one.rows.rows; i++) {
      const row = one.start + i;
      for (let j = one === other ? i + 1 : 0; j < other.rows.rows; j++) {
        const id = other.start + j;
        bound(i, j);
        const least = Math.fround(bounds.least); // as the limits are: a distance beyond float32 is an infinity
        if (least > limits.farthest(row) && least > limits.farthest(id)) continue;
        compared++;
        const value = distance(one.rows, i, other.rows, j);
        lists.offer(row, value, id);
        lists.offer(id, value, row);
      }
      if (slices.due()) await slices.pause();
    }
    met++;
    onEvent?.({ type: 'work-progress', task, done: Math.floor((total * met) / pairs), total });
  };

  for (let top = 0; top < total; top += size) {
    const one = await load(top, firstByte);
    await meet(one, one);
    for (let left = top + size; left < total; left += size) await meet(one, await load(left, firstByte + blockBytes));
  }
  const message = `${compared} of ${(total * (total - 1)) / 2} pairs were compared in full`;
  onEvent?.({ type: 'work-message', task, message });
  onEvent?.({ type: 'work-end', task, done: total, elapsedMs: performance.now() - started });
  return lists.finish();
}

/** Rows a block, a multiple of 16: two blocks of float32 and two of int16 fill the memory. */
function blockRows(total: number, width: number, memoryBytes: number): number {
  const fitting = Math.floor(memoryBytes / (width * 2 * (4 + 2)));
  return Math.ceil(Math.min(total, Math.max(1, Math.min(fitting, 4096))) / lineRows) * lineRows;
}

const even = (count: number) => count + (count % 2);

/** A block as the distance loops want it, filled up to `stride` columns. @throws NotFiniteError naming the row in the source */
function rowsOf({ data, rows, cols }: Matrix, stride: number, start: number): Rows {
  let padded = data;
  if (stride !== cols) {
    padded = new Float32Array(rows * stride);
    for (let row = 0; row < rows; row++) padded.set(data.subarray(row * cols, (row + 1) * cols), row * stride);
  }
  const squaredNorms = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const norm = innerProduct(padded, row * stride, padded, row * stride, stride);
    if (!Number.isFinite(norm)) {
      const column = data.subarray(row * cols, (row + 1) * cols).findIndex((value) => !Number.isFinite(value));
      throw new NotFiniteError(
        `row ${start + row} holds ${data[row * cols + column]} in column ${column}; remove or mend that row`,
      );
    }
    squaredNorms[row] = norm;
  }
  return { data: padded, squaredNorms, rows, cols, stride };
}

/** Mean of a block's rows: distances do not change when it is taken from all rows, and shorter rows have finer steps. */
function meanRow({ data, rows, cols, stride }: Rows): Float32Array {
  const sums = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < cols; c++) sums[c]! += data[row * stride + c]!;
  }
  return Float32Array.from(sums, (sum) => sum / rows);
}
