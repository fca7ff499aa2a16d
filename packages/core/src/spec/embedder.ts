import type { Component } from './component.js';
import type { CallOptions } from './events.js';
import type { Matrix } from './matrix.js';
import type { RowSource } from './row-source.js';

export interface EmbedderCapabilities {
  /** Columns of every result. */
  readonly dimensions: number;
  /** Most items in one `embedBatch` call; Infinity for no limit. */
  readonly maxBatch: number;
  /** Calls of `embedBatch` that may run at a time. */
  readonly maxConcurrency: number;
  /** Whether every row has length 1 (or 0 for a text without content). */
  readonly normalized: boolean;
  /** Whether the same items give the same bytes. */
  readonly deterministic: boolean;
  /** Largest difference between a text alone and the same text in a padded batch, in any column. */
  readonly batchTolerance: number;
}

export interface EmbedResult {
  /** One row an item, in order; the buffer belongs to the caller. */
  readonly embeddings: Matrix;
  /** Positions, within the batch, of items whose text was cut. */
  readonly truncated?: Uint32Array;
}

/** How far distances of kept rows are from those of the rows that `embedBatch` gives: relative errors over sampled pairs. */
export interface DistanceError {
  readonly pairs: number;
  readonly median: number;
  /** No more than 5 in 100 pairs are off by more. */
  readonly percentile95: number;
  readonly largest: number;
}

/** One row an item, in order, kept outside memory; free them with `await using`. */
export interface EmbeddedRows extends RowSource, AsyncDisposable {
  /** That of the embedder when the rows are what `embedBatch` gives, and another one when they only stand for those. */
  readonly fingerprint: string;
  /** Positions of items whose text was cut. */
  readonly truncated: readonly number[];
  /** Absent when the rows are what `embedBatch` gives. */
  readonly distanceError?: DistanceError;
}

/** Turns items into vectors. Users call {@link embed} or {@link embedStream}, which split, order and report. */
export interface Embedder<Item = string> extends Component<'embedder', EmbedderCapabilities>, AsyncDisposable {
  /** One batch of at most `capabilities.maxBatch` items, in order. */
  embedBatch(items: readonly Item[], options?: CallOptions): Promise<EmbedResult>;
  /** All items, for an embedder whose rows are too wide to be held in memory; others have no such method. */
  embedRows?(items: readonly Item[], options?: CallOptions & { readonly batchSize?: number }): Promise<EmbeddedRows>;
}

/** An embedder that tells how long its items are, for batches by token budget and for estimates. */
export interface TokenCountingEmbedder<Item = string> extends Embedder<Item> {
  /** Tokens of each item as the model reads it: special ones included, after cutting. */
  countTokens(items: readonly Item[]): Uint32Array;
}
