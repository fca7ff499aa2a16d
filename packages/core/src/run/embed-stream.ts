import { checkInteger } from '../checks/arguments.js';
import { firstNotFinite } from '../checks/numbers.js';
import { NotFiniteError, ShapeError } from '../errors.js';
import type { Embedder } from '../spec/embedder.js';
import type { CallOptions } from '../spec/events.js';
import type { Matrix } from '../spec/matrix.js';
import { startProgress } from './progress.js';

export interface EmbedOptions extends CallOptions {
  /** Items a batch; default 32, never more than the embedder's `maxBatch`. */
  readonly batchSize?: number;
  /** Name of the work in events; default `embed`. */
  readonly task?: string;
  /** Number of items, when known, for progress. */
  readonly total?: number;
}

export interface EmbeddedPart {
  /** Position of the part's first item in the stream. */
  readonly start: number;
  /** One row an item, in order. */
  readonly embeddings: Matrix;
  /** Positions in the stream of items whose text was cut. */
  readonly truncated: readonly number[];
}

/**
 * Embeds items as they come, batch by batch and in order. Nothing is read ahead: the next batch is computed when it is asked for.
 * @throws ShapeError or NotFiniteError when the embedder breaks its contract; the signal's reason on abort.
 */
export async function* embedStream<Item>(
  embedder: Embedder<Item>,
  items: Iterable<Item> | AsyncIterable<Item>,
  options: EmbedOptions = {},
): AsyncGenerator<EmbeddedPart, void, undefined> {
  const { signal, onEvent, task = 'embed', total, batchSize = 32 } = options;
  checkInteger('batchSize', batchSize, 1);
  const size = Math.min(batchSize, embedder.capabilities.maxBatch);
  const progress = startProgress(task, total, onEvent);
  let start = 0;
  let batch: Item[] = [];
  const run = async (): Promise<EmbeddedPart> => {
    signal?.throwIfAborted();
    const result = await embedder.embedBatch(batch, options);
    checkRows(result.embeddings, batch.length, embedder.capabilities.dimensions, start);
    const part = {
      start,
      embeddings: result.embeddings,
      truncated: [...(result.truncated ?? [])].map((row) => start + row),
    };
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

function checkRows(embeddings: Matrix, rows: number, cols: number, start: number): void {
  if (embeddings.rows !== rows || embeddings.cols !== cols || embeddings.data.length !== rows * cols) {
    throw new ShapeError(
      `the embedder returned ${embeddings.rows} x ${embeddings.cols} (${embeddings.data.length} numbers) for ${rows} items of ${cols} dimensions`,
    );
  }
  const bad = firstNotFinite(embeddings.data);
  if (bad >= 0) {
    throw new NotFiniteError(
      `the embedder returned ${embeddings.data[bad]} for item ${start + Math.floor(bad / cols)}`,
    );
  }
}
