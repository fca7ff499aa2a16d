import { CorruptFileError, digest, StateMismatchError } from '@rarefy/core';

/** Shape of the counters: `rows` rows of 2^hashes counters each. Every point falls into one counter per row. */
export interface CounterShape {
  readonly rows: number;
  readonly hashes: number;
}

/** What a RACE sketch stores: how many of its points fell into each counter. Plain data. */
export interface RaceSketch {
  /** Columns of the points; 0 before the first points are added. */
  readonly cols: number;
  /** Points that are counted. */
  readonly size: number;
  /** rows x 2^hashes, row-major. */
  readonly counters: Int32Array;
  /** With a window: the counter of each point of the window in each row, oldest point first; size x rows. */
  readonly recent?: Uint16Array;
}

/** Adds `sign` to the counters of each point. @param codes points x rows */
export function countCodes(
  counters: Int32Array,
  codes: Uint16Array,
  sign: 1 | -1,
  { rows, hashes }: CounterShape,
): void {
  for (let index = 0, row = 0; index < codes.length; index++) {
    const counter = (row << hashes) + codes[index]!;
    counters[counter] = counters[counter]! + sign;
    if (++row === rows) row = 0;
  }
}

/** Mean over the rows of the counter of one point, whose codes begin at index `start`. */
export function meanCount(
  counters: Int32Array,
  codes: Uint16Array,
  start: number,
  { rows, hashes }: CounterShape,
): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += counters[(row << hashes) + codes[start + row]!]!;
  return sum / rows;
}

/** The codes of the last points of a stream, `rows` per point, in a ring buffer. */
export interface RaceWindow {
  /** Points in the window. */
  readonly size: number;
  /** Adds points, and calls `expire` with the codes of each point that leaves the window. */
  push(codes: Uint16Array, expire: (codes: Uint16Array) => void): void;
  /** A copy of all codes, oldest point first. */
  codes(): Uint16Array;
}

/** @param capacity maximum number of points */
export function raceWindow(capacity: number, rows: number): RaceWindow {
  const ring = new Uint16Array(capacity * rows);
  let size = 0;
  let next = 0;
  return {
    get size() {
      return size;
    },
    push(codes, expire) {
      for (let start = 0; start < codes.length; start += rows) {
        const slot = ring.subarray(next * rows, (next + 1) * rows);
        if (size === capacity) expire(slot);
        else size++;
        slot.set(codes.subarray(start, start + rows));
        next = (next + 1) % capacity;
      }
    },
    codes() {
      const ordered = new Uint16Array(size * rows);
      const oldest = (next - size + capacity) % capacity;
      const untilEnd = Math.min(size, capacity - oldest);
      ordered.set(ring.subarray(oldest * rows, (oldest + untilEnd) * rows));
      ordered.set(ring.subarray(0, (size - untilEnd) * rows), untilEnd * rows);
      return ordered;
    },
  };
}

const format = 'rarefy-race';

/**
 * Serializes a sketch, little-endian: the length of the header (uint32), the header (JSON, padded with spaces to a multiple of
 * 4), the counters (int32), and with a window the codes of its points (uint16).
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
 * @param counters expected number of counters
 * @param rows codes per point of the window; 0 without a window
 * @throws StateMismatchError if the sketch has other options; CorruptFileError if the bytes are not a complete sketch.
 */
export function decodeRace(bytes: Uint8Array, fingerprint: string, counters: number, rows: number): RaceSketch {
  const { header, start } = readHeader(bytes);
  if (header.fingerprint !== fingerprint) {
    throw new StateMismatchError(
      `the bytes hold a sketch of ${header.fingerprint}, and this one is ${fingerprint}; use the same options`,
    );
  }
  const { cols, size } = header as { cols: number; size: number };
  const middle = start + 4 * counters;
  const end = middle + 2 * size * rows;
  const isWhole = Number.isSafeInteger(cols) && Number.isSafeInteger(size) && end === bytes.length;
  // Copied, because views need an aligned start and the bytes belong to the caller.
  const sketch = isWhole && {
    cols,
    size,
    counters: new Int32Array(bytes.slice(start, middle).buffer),
    ...(rows > 0 && { recent: new Uint16Array(bytes.slice(middle, end).buffer) }),
  };
  if (!sketch || contentDigest(sketch) !== header.digest) {
    throw new CorruptFileError(`the sketch of ${bytes.length} bytes is damaged or truncated; use an earlier one`);
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
    // Reported below.
  }
  throw new CorruptFileError(
    `these ${bytes.length} bytes are not a RACE sketch of version 1; give the bytes that toBytes() returned`,
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
