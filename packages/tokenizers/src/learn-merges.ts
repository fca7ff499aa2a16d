/** A pair of tokens is one number, left * RADIX + right, so that numbers order pairs by (left, right). */
const RADIX = 2 ** 26;

/**
 * Learns byte-pair encoding from words. Repeatedly, the most frequent pair of adjacent tokens becomes a new token; among equally
 * frequent pairs the smallest (left, right) wins. A run such as `aaa` counts as two pairs (a, a) and is merged from the left.
 * Counts are updated incrementally, so a merge costs the length of the words that contain the pair.
 *
 * Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units", ACL 2016.
 * @param words token ids in [0, alphabetSize); replaced in place by the merged words
 * @param counts number of occurrences of each word
 * @returns pairs of token ids in the order learned; merge i creates token alphabetSize + i. Fewer than `limit` if no pair is left.
 */
export function learnMerges(
  words: Int32Array[],
  counts: ArrayLike<number>,
  alphabetSize: number,
  limit: number,
): [left: number, right: number][] {
  const pairCounts = new Map<number, number>();
  const wordsWith = new Map<number, Set<number>>();
  const queue = pairQueue();
  words.forEach((word, index) => {
    addPairs(pairCounts, word, counts[index]!);
    for (let at = 1; at < word.length; at++) note(wordsWith, word[at - 1]! * RADIX + word[at]!, index);
  });
  for (const [pair, count] of pairCounts) queue.push(pair, count);

  const merges: [number, number][] = [];
  while (merges.length < limit) {
    const pair = mostFrequent(queue, pairCounts);
    if (pair === undefined) break;
    const left = Math.floor(pair / RADIX);
    const right = pair % RADIX;
    // No other pair spells the same bytes: what a span of bytes merges into depends on the span alone.
    const token = alphabetSize + merges.length;
    const changes = new Map<number, number>();
    for (const index of wordsWith.get(pair) ?? []) {
      const before = words[index]!;
      const after = mergePair(before, left, right, token);
      if (after.length === before.length) continue;
      words[index] = after;
      addPairs(changes, before, -counts[index]!);
      addPairs(changes, after, counts[index]!);
      for (let at = 1; at < after.length; at++) {
        if (after[at] === token || after[at - 1] === token) note(wordsWith, after[at - 1]! * RADIX + after[at]!, index);
      }
    }
    for (const [changed, change] of changes) {
      const count = (pairCounts.get(changed) ?? 0) + change;
      pairCounts.set(changed, count);
      if (change > 0) queue.push(changed, count);
    }
    wordsWith.delete(pair);
    merges.push([left, right]);
  }
  return merges;
}

/** A queued count may be too large, never too small: an outdated entry is queued again with its true count. */
function mostFrequent(queue: PairQueue, pairCounts: ReadonlyMap<number, number>): number | undefined {
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const count = pairCounts.get(entry.pair) ?? 0;
    if (count === entry.count) return entry.pair;
    if (count > 0) queue.push(entry.pair, count);
  }
  return undefined;
}

function addPairs(into: Map<number, number>, word: Int32Array, count: number): void {
  for (let at = 1; at < word.length; at++) {
    const pair = word[at - 1]! * RADIX + word[at]!;
    into.set(pair, (into.get(pair) ?? 0) + count);
  }
}

function note(wordsWith: Map<number, Set<number>>, pair: number, index: number): void {
  const indexes = wordsWith.get(pair);
  if (indexes) indexes.add(index);
  else wordsWith.set(pair, new Set([index]));
}

function mergePair(word: Int32Array, left: number, right: number, token: number): Int32Array {
  const merged = new Int32Array(word.length);
  let length = 0;
  for (let at = 0; at < word.length; at++) {
    if (word[at] === left && word[at + 1] === right) {
      merged[length++] = token;
      at++;
    } else {
      merged[length++] = word[at]!;
    }
  }
  return merged.slice(0, length);
}

interface PairQueue {
  push(pair: number, count: number): void;
  /** Removes the entry with the largest count, and among equal counts the smallest pair; undefined if the queue is empty. */
  pop(): { readonly pair: number; readonly count: number } | undefined;
}

/** A binary heap of (count, pair): O(log n) per push and pop. */
function pairQueue(): PairQueue {
  const pairs: number[] = [];
  const counts: number[] = [];
  const isBefore = (a: number, b: number) =>
    counts[a]! > counts[b]! || (counts[a] === counts[b] && pairs[a]! < pairs[b]!);
  const swap = (a: number, b: number) => {
    [pairs[a], pairs[b]] = [pairs[b]!, pairs[a]!];
    [counts[a], counts[b]] = [counts[b]!, counts[a]!];
  };
  return {
    push(pair, count) {
      let node = pairs.push(pair) - 1;
      counts.push(count);
      while (node > 0) {
        const parent = (node - 1) >> 1;
        if (!isBefore(node, parent)) return;
        swap(node, parent);
        node = parent;
      }
    },
    pop() {
      if (pairs.length === 0) return undefined;
      swap(0, pairs.length - 1);
      const top = { pair: pairs.pop()!, count: counts.pop()! };
      for (let node = 0; ; ) {
        const left = 2 * node + 1;
        let first = node;
        if (left < pairs.length && isBefore(left, first)) first = left;
        if (left + 1 < pairs.length && isBefore(left + 1, first)) first = left + 1;
        if (first === node) return top;
        swap(node, first);
        node = first;
      }
    },
  };
}
