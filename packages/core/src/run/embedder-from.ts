import { described, itemError } from '../check-items.js';
import { checkOptions } from '../check-options.js';
import { checkInteger, checkShape, shown } from '../checks.js';
import { InvalidArgumentError, NotFiniteError, ShapeError } from '../errors.js';
import { matrix } from '../matrix.js';
import type { CallOptions } from '../spec/component.js';
import type { Embedder } from '../spec/embedder.js';
import type { Matrix } from '../spec/matrix.js';

/** One row per item, in order: an array per row, or a matrix (items x dimensions). */
export type RowsOfItems = readonly ArrayLike<number>[] | Matrix;

/** What a function returns that also reports truncation: the indices, within the batch, of items whose text was cut. */
export interface RowsWithTruncation {
  readonly embeddings: RowsOfItems;
  readonly truncated?: ArrayLike<number>;
}

export interface EmbedderFromOptions<Item = string> {
  /**
   * Names everything that decides the numbers: the model, its revision, pooling, prefix. Part of the fingerprint, by which caches
   * and saved states recognize the embedder. Change it whenever the numbers change.
   */
  readonly name: string;
  /** Number of columns, an integer ≥ 1. */
  readonly dimensions: number;
  /** Embeds one batch. If it cuts long texts, it returns the truncated ones too. */
  readonly embed: (
    items: readonly Item[],
    options: CallOptions,
  ) => RowsOfItems | RowsWithTruncation | Promise<RowsOfItems | RowsWithTruncation>;
  /** Largest number of items per call of `embed`, an integer ≥ 1; default no limit. */
  readonly maxBatch?: number | undefined;
  /** Largest number of concurrent calls of `embed`, an integer ≥ 1; default 1. */
  readonly maxConcurrency?: number | undefined;
  /** Whether `embed` returns rows of length 1, or 0 for a text without content; default false. Checked, within 1e-3. */
  readonly normalized?: boolean | undefined;
  /** Whether the same items always give the same bytes; default true. */
  readonly deterministic?: boolean | undefined;
  /** Largest difference, in any column, between an item embedded alone and in a batch; default 1e-3. */
  readonly batchTolerance?: number | undefined;
  /** Frees what `embed` holds. Called once. */
  readonly dispose?: (() => void | Promise<void>) | undefined;
}

const optionNames = [
  'name',
  'dimensions',
  'embed',
  'maxBatch',
  'maxConcurrency',
  'normalized',
  'deterministic',
  'batchTolerance',
  'dispose',
];

/**
 * Makes an embedder from a function that turns items into rows. The numbers are copied, so `embed` may reuse its buffer.
 *
 *     embedderFrom({ name: 'my-model@3', dimensions: 384, embed: (texts) => client.embed(texts) })
 *
 * `embedBatch` rejects with ShapeError if `embed` does not return items x dimensions, or, with `normalized`, a row whose length is
 * neither 0 nor 1; with NotFiniteError if it returns a value that is not a finite number.
 * @throws InvalidArgumentError if an option is unknown, missing or out of range.
 */
export function embedderFrom<Item = string>(options: EmbedderFromOptions<Item>): Embedder<Item> {
  const {
    name,
    dimensions,
    embed,
    maxBatch = Number.POSITIVE_INFINITY,
    maxConcurrency = 1,
    normalized = false,
    deterministic = true,
    batchTolerance = 1e-3,
    dispose,
  } = checkOptions(options, optionNames, 'embedderFrom');
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError('embedderFrom needs a `name`, such as the model and its revision');
  }
  if (typeof embed !== 'function')
    throw new InvalidArgumentError('embedderFrom needs `embed`, a function of a batch of items');
  checkInteger('dimensions', dimensions, 1);
  if (maxBatch !== Number.POSITIVE_INFINITY) checkInteger('maxBatch', maxBatch, 1);
  if (maxConcurrency !== Number.POSITIVE_INFINITY) checkInteger('maxConcurrency', maxConcurrency, 1);
  if (!(typeof batchTolerance === 'number' && batchTolerance >= 0))
    throw new InvalidArgumentError(`batchTolerance must be a number ≥ 0, got ${shown(batchTolerance)}`);
  for (const [option, value] of Object.entries({ normalized, deterministic })) {
    if (typeof value === 'boolean') continue;
    throw new InvalidArgumentError(`${option} must be true or false, got ${shown(value)}`);
  }
  let disposed = false;

  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `function:name=${name},dimensions=${dimensions}`,
    capabilities: { dimensions, maxBatch, maxConcurrency, normalized, deterministic, batchTolerance },
    async embedBatch(items, callOptions = {}) {
      const { signal } = callOptions;
      signal?.throwIfAborted();
      if (items.length === 0) return { embeddings: { data: new Float32Array(0), rows: 0, cols: dimensions } };
      const returned = await embed(items, callOptions);
      signal?.throwIfAborted();
      const isReport = typeof returned === 'object' && returned !== null && 'embeddings' in returned;
      const rows = isReport ? returned.embeddings : returned;
      const embeddings = toMatrix(rows, items.length, dimensions, name);
      if (normalized) checkLengths(embeddings, name);
      return isReport && returned.truncated
        ? { embeddings, truncated: Uint32Array.from(returned.truncated) }
        : { embeddings };
    },
    async [Symbol.asyncDispose]() {
      if (disposed) return;
      disposed = true;
      await dispose?.();
    },
  };
}

/** A copy of what a function returned for `items` items. */
function toMatrix(returned: RowsOfItems, items: number, dimensions: number, name: string): Matrix {
  const isMatrix = typeof returned === 'object' && returned !== null && 'data' in returned && 'rows' in returned;
  if (!isMatrix) checkRows(returned, name);
  const rows = isMatrix ? returned.rows : returned?.length;
  const cols = isMatrix ? returned.cols : returned?.[0]?.length;
  if (rows !== items || cols !== dimensions) {
    throw new ShapeError(`${name} returned ${rows} x ${cols} for ${items} items, expected ${items} x ${dimensions}`);
  }
  if (isMatrix) {
    checkShape(returned, `rows of ${name}`);
    checkNumbers(returned.data, cols, 0, name);
    return { data: returned.data.slice(), rows, cols };
  }
  for (let row = 0; row < rows; row++)
    if (returned[row]?.length === cols) checkNumbers(returned[row]!, cols, row, name);
  return matrix(returned, dimensions);
}

/** @throws ShapeError if `returned` is not an array of arrays; the message names what it is instead. */
function checkRows(returned: unknown, name: string): void {
  const expected = `${name} must return a matrix, or an array with one array of numbers per item`;
  if (!Array.isArray(returned)) {
    const isNumbers = ArrayBuffer.isView(returned);
    throw new ShapeError(`${expected}, got ${isNumbers ? 'numbers in one array' : described(returned)}`);
  }
  const row = returned.findIndex((numbers) => typeof numbers !== 'object' || typeof numbers?.length !== 'number');
  if (row < 0) return;
  const what = described(returned[row]);
  const hint = what === 'a promise' ? '; await all rows, as in Promise.all(rows)' : '';
  throw new ShapeError(`${expected}, got ${what} in place of row ${row}${hint}`);
}

/** @param first item of the first number */
function checkNumbers(numbers: ArrayLike<number>, cols: number, first: number, name: string): void {
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index]!;
    if (typeof value === 'number' && Number.isFinite(Math.fround(value))) continue;
    throw itemError(
      first + Math.floor(index / cols),
      (item) => new NotFiniteError(`${name} returned ${shown(value)} for item ${item}, in column ${index % cols}`),
    );
  }
}

function checkLengths({ data, rows, cols }: Matrix, name: string): void {
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let index = row * cols; index < (row + 1) * cols; index++) squares += data[index]! ** 2;
    if (squares === 0 || Math.abs(Math.sqrt(squares) - 1) <= 1e-3) continue;
    throw new ShapeError(
      `${name} is \`normalized\`, but row ${row} of a batch has length ${Math.sqrt(squares)}, expected 1`,
    );
  }
}
