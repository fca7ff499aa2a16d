/**
 * `count` small integers of Parquet's hybrid of runs and bit-packing, or undefined when the bytes do not hold so many. No run may go
 * beyond `count`, so nothing is allocated and no time spent for what a run merely says.
 * @param width bits a value, 0 to 24
 */
export function readRuns(bytes: Uint8Array, width: number, count: number): Uint32Array | undefined {
  const values = new Uint32Array(count);
  if (width === 0) return values;
  const valueBytes = (width + 7) >> 3;
  let at = 0;
  for (let done = 0; done < count; ) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length || shift > 21) return undefined;
      const part = bytes[at++]!;
      head |= (part & 0x7f) << shift;
      if (part < 0x80) break;
    }
    const length = head >>> 1;
    if (length === 0) return undefined;
    if ((head & 1) === 0) {
      if (length > count - done || at + valueBytes > bytes.length) return undefined;
      let value = 0;
      for (let index = 0; index < valueBytes; index++) value |= bytes[at++]! << (8 * index);
      values.fill(value, done, done + length);
      done += length;
      continue;
    }
    if (at + length * width > bytes.length) return undefined;
    const end = at + length * width; // 8 values take `width` bytes
    const mask = 2 ** width - 1;
    let bits = 0;
    let held = 0;
    for (let index = 0; index < 8 * length && done < count; index++) {
      while (held < width) {
        bits = (bits | (bytes[at++]! << held)) >>> 0;
        held += 8;
      }
      values[done++] = bits & mask;
      bits >>>= width;
      held -= width;
    }
    at = end;
  }
  return values;
}
