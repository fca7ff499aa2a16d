import {
  type CallOptions,
  callOptionNames,
  checkItemArray,
  checkOptions,
  checkSeed,
  counterRandom,
  InvalidArgumentError,
  withProgress,
} from '@rarefy/core';
import type { PromptRecord } from './prompts.js';

export interface NearDuplicateOptions extends CallOptions {
  /** Smallest Jaccard similarity at which two prompts are merged, in (0, 1]; default 0.9. */
  readonly similarity?: number;
  /** Any safe integer; default 0. */
  readonly seed?: number;
}

const optionNames = ['similarity', 'seed', ...callOptionNames] satisfies (keyof NearDuplicateOptions)[];

const hashes = 128;
const shingleLength = 5;
/** Largest probability of missing a pair whose similarity is exactly the limit. */
const maxMissRate = 1e-3;

/**
 * Merges each prompt into the first one that is nearly the same: counts are added, sources are united. Similarity is the Jaccard
 * similarity of the sets of 5-character substrings, after lower-casing, NFC normalization and collapsing white space.
 *
 * MinHash signatures in bands propose candidates, of which the exact similarity decides. A pair exactly at the limit is missed with
 * probability at most 0.001. Deterministic in prompts, similarity and seed.
 * Sources: Broder, "On the resemblance and containment of documents", 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive
 * Datasets", section 3.4.
 * @returns the remaining prompts, in order
 * @throws InvalidArgumentError if `prompts` is not an array, or similarity or seed is out of range; the signal's reason on abort.
 */
export async function mergeNearDuplicates(
  prompts: readonly PromptRecord[],
  options: NearDuplicateOptions = {},
): Promise<PromptRecord[]> {
  checkOptions(options, optionNames, 'mergeNearDuplicates');
  checkItemArray(prompts, 'mergeNearDuplicates');
  const { similarity = 0.9, seed = 0 } = options;
  if (!(similarity > 0 && similarity <= 1)) {
    throw new InvalidArgumentError(`similarity must be in (0, 1], got ${similarity}`);
  }
  checkSeed(seed);
  return withProgress('near-duplicates', prompts.length, options, async (tick) => {
    const rows = rowsPerBand(similarity);
    const signature = signatureMaker(seed);
    const buckets = Array.from({ length: hashes / rows }, () => new Map<string, number[]>()); // by band, then by its hashes
    const kept: { record: PromptRecord; readonly text: string }[] = [];
    for (const [position, record] of prompts.entries()) {
      await tick(position);
      const text = normalized(record.prompt);
      const pieces = shingles(text);
      const marks = signature(pieces);
      const keys = buckets.map((_, band) => marks.subarray(band * rows, (band + 1) * rows).join());
      const candidates = new Set(buckets.flatMap((bucket, band) => bucket.get(keys[band]!) ?? []));
      const first = [...candidates]
        .sort((a, b) => a - b)
        .find((index) => jaccard(pieces, shingles(kept[index]!.text)) >= similarity);
      if (first !== undefined) {
        kept[first]!.record = united(kept[first]!.record, record);
        continue;
      }
      buckets.forEach((bucket, band) => {
        const list = bucket.get(keys[band]!);
        if (list) list.push(kept.length);
        else bucket.set(keys[band]!, [kept.length]);
      });
      kept.push({ record, text });
    }
    return kept.map(({ record }) => record);
  });
}

/** The most hashes per band, so the fewest candidates, at which a pair at the limit still agrees in one whole band. */
function rowsPerBand(similarity: number): number {
  let best = 1;
  for (let rows = 2; rows <= hashes; rows *= 2) {
    if ((1 - similarity ** rows) ** (hashes / rows) <= maxMissRate) best = rows;
  }
  return best;
}

function normalized(text: string): string {
  return text.normalize('NFC').toLowerCase().replace(/\s+/g, ' ').trim();
}

/** Every substring of 5 UTF-16 units; a shorter text is its only substring. */
function shingles(text: string): Set<string> {
  const pieces = new Set<string>();
  for (let start = 0; start === 0 || start + shingleLength <= text.length; start++) {
    pieces.add(text.slice(start, start + shingleLength));
  }
  return pieces;
}

function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const piece of a) if (b.has(piece)) common++;
  return common / (a.size + b.size - common);
}

/** MinHash: the smallest value of each hash over all pieces. Two sets agree in one value with a probability of their similarity. */
function signatureMaker(seed: number): (pieces: ReadonlySet<string>) => Uint32Array {
  const random = counterRandom(seed);
  const word = (index: number) => Math.floor(random.uniform(index) * 2 ** 32);
  const factors = Uint32Array.from({ length: hashes }, (_, index) => word(2 * index) | 1);
  const addends = Uint32Array.from({ length: hashes }, (_, index) => word(2 * index + 1));
  return (pieces) => {
    const least = new Uint32Array(hashes).fill(2 ** 32 - 1);
    for (const piece of pieces) {
      let hash = 0x811c9dc5; // FNV-1a
      for (let index = 0; index < piece.length; index++) hash = Math.imul(hash ^ piece.charCodeAt(index), 0x01000193);
      for (let index = 0; index < hashes; index++) {
        // The finalizer of MurmurHash3; a product alone would keep the order of its low bits.
        let mixed = (Math.imul(hash, factors[index]!) + addends[index]!) | 0;
        mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
        mixed = (mixed ^ (mixed >>> 13)) >>> 0;
        if (mixed < least[index]!) least[index] = mixed;
      }
    }
    return least;
  };
}

function united(first: PromptRecord, other: PromptRecord): PromptRecord {
  return { ...first, count: first.count + other.count, sources: [...new Set([...first.sources, ...other.sources])] };
}
