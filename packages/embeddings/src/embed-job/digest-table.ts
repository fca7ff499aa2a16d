import { createHash } from 'node:crypto';

/** The first 128 bits of a text's SHA-256, as four words. */
export type TextDigest = Uint32Array;

export function textDigest(text: string): TextDigest {
  const { buffer, byteOffset } = createHash('sha256').update(text).digest();
  return new Uint32Array(buffer.slice(byteOffset, byteOffset + 16));
}

/** From texts, by their digests, to the number that each was first put in with; 40 bytes a text, where a Map takes hundreds. */
export interface DigestTable {
  /** The number of the same digest when there is one, and otherwise puts this one in. */
  firstOr(digest: TextDigest, value: number): number | undefined;
}

/** Open addressing with linear steps; doubles at half full. Values are integers in [0, 2^32 - 1). */
export function digestTable(): DigestTable {
  const empty = 2 ** 32 - 1;
  let capacity = 1024;
  let count = 0;
  let digests = new Uint32Array(4 * capacity);
  let values = new Uint32Array(capacity).fill(empty);

  /** The slot of a digest, or the empty one where it belongs. */
  const slotOf = (word0: number, word1: number, word2: number, word3: number) => {
    let slot = word0 & (capacity - 1);
    for (; values[slot] !== empty; slot = (slot + 1) & (capacity - 1)) {
      const at = 4 * slot;
      if (
        digests[at] === word0 &&
        digests[at + 1] === word1 &&
        digests[at + 2] === word2 &&
        digests[at + 3] === word3
      ) {
        break;
      }
    }
    return slot;
  };
  const grow = () => {
    const [oldDigests, oldValues] = [digests, values];
    capacity *= 2;
    digests = new Uint32Array(4 * capacity);
    values = new Uint32Array(capacity).fill(empty);
    oldValues.forEach((value, old) => {
      if (value === empty) return;
      const [a, b, c, d] = oldDigests.subarray(4 * old, 4 * old + 4) as unknown as [number, number, number, number];
      const slot = slotOf(a, b, c, d);
      digests.set([a, b, c, d], 4 * slot);
      values[slot] = value;
    });
  };

  return {
    firstOr(digest, value) {
      const slot = slotOf(digest[0]!, digest[1]!, digest[2]!, digest[3]!);
      if (values[slot] !== empty) return values[slot];
      digests.set(digest, 4 * slot);
      values[slot] = value;
      if (++count > capacity / 2) grow();
      return undefined;
    },
  };
}
