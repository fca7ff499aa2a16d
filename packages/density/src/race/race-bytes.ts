import { CorruptFileError, digest, StateMismatchError } from '@rarefy/core';
import type { RaceSketch } from './race-sketch.js';

const format = 'rarefy-race';

/**
 * A sketch as bytes, little-endian: the length of the header (uint32), the header (JSON, filled up with spaces to a multiple of 4), the
 * counters (int32), and under a window the counters of its points (uint16).
 */
export function encodeRace({ cols, size, counters, recent }: RaceSketch, fingerprint: string): Uint8Array {
  const content = contentDigest({ cols, size, counters, ...(recent && { recent }) });
  const header = JSON.stringify({ format, version: 1, fingerprint, cols, size, digest: content });
  const text = new TextEncoder().encode(header);
  const length = 4 * Math.ceil(text.length / 4);
  const bytes = new Uint8Array(4 + length + counters.byteLength + (recent?.byteLength ?? 0)).fill(0x20);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.set(text, 4);
  bytes.set(bytesOf(counters), 4 + length);
  if (recent) bytes.set(bytesOf(recent), 4 + length + counters.byteLength);
  return bytes;
}

/**
 * @param counters how many there must be
 * @param rows of counters, which the points of a window have one each in; 0 without a window
 * @throws StateMismatchError for a sketch of other options; CorruptFileError for bytes that are no whole sketch.
 */
export function decodeRace(bytes: Uint8Array, fingerprint: string, counters: number, rows: number): RaceSketch {
  const { header, start } = readHeader(bytes);
  if (header.fingerprint !== fingerprint) {
    throw new StateMismatchError(`the sketch is of ${header.fingerprint} and this one is ${fingerprint}`);
  }
  const { cols, size } = header as { cols: number; size: number };
  const middle = start + 4 * counters;
  const end = middle + 2 * size * rows;
  const isWhole = Number.isSafeInteger(cols) && Number.isSafeInteger(size) && end === bytes.length;
  // Copies: the views need an aligned start, and the bytes stay the caller's.
  const sketch = isWhole && {
    cols,
    size,
    counters: new Int32Array(bytes.slice(start, middle).buffer),
    ...(rows > 0 && { recent: new Uint16Array(bytes.slice(middle, end).buffer) }),
  };
  if (!sketch || contentDigest(sketch) !== header.digest) {
    throw new CorruptFileError(`the sketch of ${bytes.length} bytes is damaged or cut off; take an earlier one`);
  }
  return sketch;
}

function contentDigest({ cols, size, counters, recent = new Uint16Array(0) }: RaceSketch): string {
  return digest(recent, digest(counters, digest([cols, size])));
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(4, 4 + length));
    const header = JSON.parse(text) as Record<string, unknown>;
    if (header.format === format && header.version === 1) return { header, start: 4 + length };
  } catch {
    // Told below: whatever is wrong with it, it is no sketch.
  }
  throw new CorruptFileError(`these ${bytes.length} bytes are no RACE sketch of version 1; give what toBytes() gave`);
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
