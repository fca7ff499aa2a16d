/** One line of a byte stream, without its line feed. */
export interface ByteLine {
  /** From 1. */
  readonly line: number;
  /** Offset of its first byte in the stream, from 0. */
  readonly byte: number;
  /** Undefined when it is longer than the limit; its bytes were then dropped as they came. */
  readonly bytes: Uint8Array | undefined;
}

/** Splits at every byte 0x0A. Holds one line of at most `maxBytes` and one chunk; a last line needs no line feed. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<ByteLine, void, undefined> {
  let line = 1;
  let byte = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length <= maxBytes) parts.push(part);
    else parts = [];
  };
  const take = (): ByteLine => {
    const bytes = length > maxBytes ? undefined : parts.length === 1 ? parts[0] : Buffer.concat(parts);
    const taken = { line, byte, bytes };
    line++;
    byte += length + 1;
    parts = [];
    length = 0;
    return taken;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      add(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
