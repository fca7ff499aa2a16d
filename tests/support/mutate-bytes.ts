/** Fast pseudo-random 32-bit integers below a bound: xorshift. */
export function quickRandom(seed: number): (bound: number) => number {
  let state = seed | 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

const odd = [
  0,
  1,
  2,
  3,
  4,
  7,
  8,
  16,
  0x7f,
  0x80,
  0x81,
  0xfe,
  0xff,
  0x100,
  0x7fff,
  0x8000,
  0xffff,
  0x10000,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];

/**
 * A copy of one of the seeds with one to four changes: flipped bits, unusual bytes and lengths of 2, 4 and 8 bytes, digits, parts
 * that are removed, repeated, moved or taken from another seed, and truncation. The same seed gives the same inputs.
 * @param keepLength does not change the length
 */
export function mutator(seeds: readonly Uint8Array[], seed: number, keepLength = false): () => Uint8Array {
  const random = quickRandom(seed);
  const kinds = keepLength ? 7 : 11;
  return () => {
    let bytes = Uint8Array.prototype.slice.call(seeds[random(seeds.length)]!);
    for (let changes = 1 + random(4); changes > 0 && bytes.length > 0; changes--) {
      const at = random(bytes.length);
      const length = 1 + random(Math.min(32, bytes.length - at));
      const kind = random(kinds);
      if (kind <= 1) bytes[at]! ^= 1 << random(8);
      else if (kind === 2) bytes[at] = odd[random(odd.length)]!;
      else if (kind === 3) bytes[at] = random(256);
      else if (kind === 4) {
        const width = 2 ** (1 + random(3));
        let value = odd[random(odd.length)]!;
        for (let index = at; index < Math.min(bytes.length, at + width); index++) {
          bytes[index] = value;
          value = Math.floor(value / 256);
        }
      } else if (kind === 5) bytes[at] = 0x30 + random(10);
      else if (kind === 6) bytes.copyWithin(random(bytes.length), at, at + length);
      else if (kind === 7) bytes = joined(bytes.subarray(0, at), bytes.subarray(at + length));
      else if (kind === 8) bytes = joined(bytes.subarray(0, at + length), bytes.subarray(at));
      else if (kind === 9) bytes = bytes.slice(0, at);
      else {
        const other = seeds[random(seeds.length)]!;
        const from = random(other.length);
        bytes = joined(joined(bytes.subarray(0, at), other.subarray(from, from + length)), bytes.subarray(at));
      }
    }
    return bytes;
  };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
