const value = new Float32Array(1);
const bits = new Uint32Array(value.buffer);

/** Both words of a list entry that holds no neighbor: id and ordered distance. It sorts after every real entry. */
export const noEntry = 0xffffffff;

/** The bits of a float32, changed so that unsigned integers compare as the numbers do. */
export function orderedBits(distance: number): number {
  value[0] = distance;
  return (bits[0]! >>> 31 ? ~bits[0]! : bits[0]! | 0x80000000) >>> 0;
}

/** The inverse of {@link orderedBits}. */
export function fromOrderedBits(ordered: number): number {
  bits[0] = ordered >>> 31 ? ordered & 0x7fffffff : ~ordered;
  return value[0]!;
}
