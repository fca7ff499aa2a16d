import { checkInteger, checkItems, checkOptions, checkSeed, type Embedder } from '@rarefy/core';

export interface HashEmbedderOptions {
  /** Number of columns, an integer ≥ 1; default 256. Fewer columns mean more collisions. */
  readonly dimensions?: number;
  /** Any safe integer; default 0. A different seed gives an unrelated embedding. */
  readonly seed?: number;
}

/**
 * Signed feature hashing of words and character trigrams: texts that share words or spellings get similar rows. It needs no model:
 * use it in tests, in demos, and as a baseline for real embedders. Rows have length 1; a text that is empty or only white space
 * gives zeros. Deterministic.
 *
 * The inner product of two rows before normalization is an unbiased estimate, over seeds, of the inner product of their feature
 * counts.
 * Source: Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
 * @throws InvalidArgumentError if an option is unknown or out of range. `embedBatch` rejects with it for an item that is not a
 * text.
 */
export function hashEmbedder(options: HashEmbedderOptions = {}): Embedder<string> {
  checkOptions(options, ['dimensions', 'seed'] satisfies (keyof HashEmbedderOptions)[], 'hashEmbedder');
  const { dimensions = 256, seed = 0 } = options;
  checkInteger('dimensions', dimensions, 1);
  checkSeed(seed);

  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `hash:dimensions=${dimensions},seed=${seed}`,
    capabilities: {
      dimensions,
      maxBatch: Number.POSITIVE_INFINITY,
      maxConcurrency: Number.POSITIVE_INFINITY,
      normalized: true,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(items, { signal } = {}) {
      signal?.throwIfAborted();
      checkItems(items);
      const data = new Float32Array(items.length * dimensions);
      items.forEach((text, row) => {
        hashInto(data.subarray(row * dimensions, (row + 1) * dimensions), text, seed);
      });
      return { embeddings: { data, rows: items.length, cols: dimensions } };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * The features of a text, each as often as it occurs: every word (`hello`), and every trigram of a word with a blank on either side
 * (` he`, `hel`, …, `lo `). Upper case and compatibility forms are normalized; a symbol that is not a letter or digit is a word.
 */
export function* textFeatures(text: string): Generator<string, void, undefined> {
  for (const [word] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{M}\p{N}]+|\S/gu)) {
    yield word;
    const characters = [' ', ...word, ' '];
    for (let start = 0; start + 3 <= characters.length; start++) yield characters.slice(start, start + 3).join('');
  }
}

/** Adds the sign of each feature to its column, then scales the row to length 1. `row` must be zeros. */
function hashInto(row: Float32Array, text: string, seed: number): void {
  const low = seed | 0;
  const high = Math.floor(seed / 2 ** 32) | 0;
  for (const feature of textFeatures(text)) {
    const hash = hash32(feature, low, high);
    const column = Math.floor((hash / 2 ** 32) * row.length);
    row[column]! += (finish(hash ^ 0x9e3779b9) & 1) === 0 ? 1 : -1; // a second hash gives the sign: collisions cancel on average
  }
  let squares = 0;
  for (const value of row) squares += value * value;
  if (squares > 0) for (let column = 0; column < row.length; column++) row[column]! /= Math.sqrt(squares);
}

/** Keyed FNV-1a over UTF-16 units, followed by the finalizer of MurmurHash3. Returns an unsigned 32-bit integer. */
function hash32(text: string, low: number, high: number): number {
  let hash = finish(finish(0x811c9dc5 ^ low) ^ high);
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return finish(hash);
}

function finish(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
