import type { CallOptions, Component } from './component.js';
import type { Matrix, RowSource } from './matrix.js';

export interface EmbedderCapabilities {
  /** Number of columns of every result. */
  readonly dimensions: number;
  /** Largest number of items in one `embedBatch` call; Infinity if there is no limit. */
  readonly maxBatch: number;
  /** Largest number of concurrent `embedBatch` calls. */
  readonly maxConcurrency: number;
  /** Whether every row has length 1, or 0 for a text without content. */
  readonly normalized: boolean;
  /** Whether the same items always give the same bytes. */
  readonly deterministic: boolean;
  /** Largest difference, in any column, between a text embedded alone and the same text embedded in a padded batch. */
  readonly batchTolerance: number;
}

export interface EmbedResult {
  /** One row per item, in order. The buffer belongs to the caller. */
  readonly embeddings: Matrix;
  /** Indices, within the batch, of items whose text was truncated. */
  readonly truncated?: Uint32Array;
}

/** Relative errors of distances between compressed rows, against the rows that `embedBatch` returns, over sampled pairs of rows. */
export interface DistanceError {
  /** Number of sampled pairs. */
  readonly pairs: number;
  readonly median: number;
  /** 95 % of the pairs have at most this error. */
  readonly percentile95: number;
  readonly largest: number;
}

/** One row per item, in order, stored outside memory. Free them with `await using`. */
export interface EmbeddedRows extends RowSource, AsyncDisposable {
  /** The embedder's fingerprint if the rows are those that `embedBatch` returns; a different one if they are compressed. */
  readonly fingerprint: string;
  /** Indices of items whose text was truncated. */
  readonly truncated: readonly number[];
  /** Absent if the rows are those that `embedBatch` returns. */
  readonly distanceError?: DistanceError;
}

/** Turns items into vectors. Users call {@link embed} or {@link embedStream}, which split, order and report. */
export interface Embedder<Item = string> extends Component<'embedder', EmbedderCapabilities>, AsyncDisposable {
  /** Embeds one batch of at most `capabilities.maxBatch` items, in order. */
  embedBatch(items: readonly Item[], options?: CallOptions): Promise<EmbedResult>;
  /** Embeds all items. Only embedders whose rows are too wide to hold in memory have this method. */
  embedRows?(items: readonly Item[], options?: CallOptions & { readonly batchSize?: number }): Promise<EmbeddedRows>;
}

/** An embedder that reports the token count of each item, for batches by token budget and for estimates. */
export interface TokenCountingEmbedder<Item = string> extends Embedder<Item> {
  /** Number of tokens of each item, special tokens included, after truncation. */
  countTokens(items: readonly Item[]): Uint32Array;
}
