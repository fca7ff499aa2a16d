/** One line of a byte stream, without its line feed. */
export interface ByteLine {
  /** Line number, from 1. */
  readonly line: number;
  /** Offset of its first byte in the stream. */
  readonly byte: number;
  /** Valid until the next line is requested. Undefined for a line longer than the limit, whose bytes were dropped. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * Splits a byte stream at every byte 0x0A. The last line needs no line feed. Holds one line of at most `maxBytes` and one chunk;
 * the source may reuse a chunk's memory for the next one.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<ByteLine, void, undefined> {
  let line = 1;
  let byte = 0;
  let begun = Buffer.alloc(0); // the line so far, if it began in an earlier chunk
  let length = 0;
  const add = (part: Uint8Array) => {
    const from = length;
    length += part.length;
    if (length > maxBytes) return;
    if (length > begun.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(length, 2 * begun.length)));
      larger.set(begun.subarray(0, from));
      begun = larger;
    }
    begun.set(part, from);
  };
  const take = (last: Uint8Array): ByteLine => {
    const whole = length === 0;
    if (whole) length = last.length;
    else add(last);
    const bytes = length > maxBytes ? undefined : whole ? last : begun.subarray(0, length);
    const taken = { line, byte, bytes };
    line++;
    byte += length + 1;
    length = 0;
    return taken;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield take(new Uint8Array(0));
}
