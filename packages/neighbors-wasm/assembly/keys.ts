// 8-byte keys that sort by a float32 first, and a 64-bit hash.

/** The bits of a float32, changed so that unsigned integers compare as the numbers do. */
@inline
export function orderedBits(value: f32): u32 {
  const bits = reinterpret<i32>(value);
  return <u32>(bits ^ ((bits >> 31) | 0x80000000));
}

/** The number of ordered bits. */
@inline
export function fromOrderedBits(ordered: u32): f32 {
  return reinterpret<f32>(ordered >> 31 ? ordered & 0x7fffffff : ~ordered);
}

/** The finalizer of splitmix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
@inline
export function mix64(value: u64): u64 {
  let z = value + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
