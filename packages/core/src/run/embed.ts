import { atPositions, checkEmbedder, checkItemList, itemError } from '../check-items.js';
import { callOptionNames, checkOptions } from '../check-options.js';
import { checkInteger, firstNotFinite } from '../checks.js';
import { NotFiniteError, ShapeError } from '../errors.js';
import type { CallOptions } from '../spec/component.js';
import type { Embedder } from '../spec/embedder.js';
import type { Matrix } from '../spec/matrix.js';
import { startProgress } from './progress.js';

export interface EmbedOptions extends CallOptions {
  /** Items per batch; default 32, and never more than the embedder's `maxBatch`. */
  readonly batchSize?: number;
  /** Name of the work in events; default `embed`. */
  readonly task?: string;
  /** Number of items, if known, for progress events. */
  readonly total?: number;
}

const optionNames = ['batchSize', 'task', 'total', ...callOptionNames];

/** The embeddings of one batch of a stream. */
export interface EmbeddedPart {
  /** Index in the stream of the batch's first item. */
  readonly start: number;
  /** One row per item, in order. */
  readonly embeddings: Matrix;
  /** Indices in the stream of items whose text was truncated. */
  readonly truncated: readonly number[];
}

/**
 * Embeds all items: one row per item, in order (items x dimensions). No items give 0 x dimensions.
 * @throws InvalidArgumentError if an option is unknown or out of range, `embedder` is not an embedder, `items` is a string or no
 *   list, or the embedder refuses an item; ShapeError or NotFiniteError if the embedder returns an invalid matrix; the signal's
 *   reason on abort.
 */
export async function embed<Item>(
  embedder: Embedder<Item>,
  items: readonly Item[],
  options: EmbedOptions = {},
): Promise<Matrix> {
  checkOptions(options, optionNames, 'embed');
  checkEmbedder(embedder, 'embed');
  checkItemList(items, 'embed');
  if (items.length === 0) return { data: new Float32Array(0), rows: 0, cols: embedder.capabilities.dimensions };
  return collect(embedStream(embedder, items, { total: items.length, ...options }));
}

/**
 * Embeds items as they arrive, batch by batch and in order. Reads no items ahead: a batch is read and computed only when the caller
 * asks for the next part.
 * @throws InvalidArgumentError if an option is unknown or out of range, `embedder` is not an embedder, `items` is a string or no
 *   list, or the embedder refuses an item; ShapeError or NotFiniteError if the embedder returns an invalid matrix; the signal's
 *   reason on abort.
 */
export async function* embedStream<Item>(
  embedder: Embedder<Item>,
  items: Iterable<Item> | AsyncIterable<Item>,
  options: EmbedOptions = {},
): AsyncGenerator<EmbeddedPart, void, undefined> {
  checkOptions(options, optionNames, 'embedStream');
  checkEmbedder(embedder, 'embedStream');
  checkItemList(items, 'embedStream');
  const { signal, onEvent, task = 'embed', total, batchSize = 32 } = options;
  checkInteger('batchSize', batchSize, 1);
  const size = Math.min(batchSize, embedder.capabilities.maxBatch);
  const progress = startProgress(task, total, onEvent);
  let start = 0;
  let batch: Item[] = [];
  const run = async (): Promise<EmbeddedPart> => {
    signal?.throwIfAborted();
    const { embeddings, truncated = [] } = await atPositions(
      (position) => start + position,
      () => embedder.embedBatch(batch, { signal, onEvent }),
    );
    checkRows(embeddings, batch.length, embedder.capabilities.dimensions, start);
    const part = { start, embeddings, truncated: Array.from(truncated, (row) => start + row) };
    start += batch.length;
    batch = [];
    progress.report(start);
    return part;
  };
  for await (const item of items) {
    batch.push(item);
    if (batch.length === size) yield await run();
  }
  if (batch.length > 0) yield await run();
  progress.end(start);
}

function checkRows({ data, rows, cols }: Matrix, items: number, dimensions: number, start: number): void {
  if (rows !== items || cols !== dimensions || data.length !== rows * cols) {
    throw new ShapeError(
      `the embedder returned ${rows} x ${cols} (${data.length} numbers) for ${items} items of ${dimensions} dimensions`,
    );
  }
  const bad = firstNotFinite(data);
  if (bad < 0) return;
  const error = (item: number) => new NotFiniteError(`the embedder returned ${data[bad]} for item ${item}`);
  throw itemError(start + Math.floor(bad / cols), error);
}

/**
 * Joins the parts of a stream into one matrix, in order. An empty stream gives 0 x 0.
 * @throws ShapeError if the parts differ in their number of columns.
 */
export async function collect(stream: AsyncIterable<{ readonly embeddings: Matrix }>): Promise<Matrix> {
  const parts: Matrix[] = [];
  for await (const { embeddings } of stream) parts.push(embeddings);
  const cols = parts[0]?.cols ?? 0;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const data = new Float32Array(rows * cols);
  let offset = 0;
  for (const part of parts) {
    if (part.cols !== cols) throw new ShapeError(`a part has ${part.cols} columns, but earlier parts have ${cols}`);
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { data, rows, cols };
}
