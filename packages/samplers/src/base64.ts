import { StateMismatchError } from '@rarefy/core';

const digits = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const padding = 61; // '='

/**
 * Numbers as base64 of their little-endian bytes: smaller than JSON of the same numbers, and exact. Several times as fast as `btoa`,
 * which takes characters: a state may hold a million weights.
 */
export function encodeNumbers(values: Float64Array | Int32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const text = new Uint8Array(4 * Math.ceil(bytes.length / 3));
  for (let at = 0, to = 0; at < bytes.length; at += 3, to += 4) {
    const three = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text[to] = digits[three >> 18]!;
    text[to + 1] = digits[(three >> 12) & 63]!;
    text[to + 2] = at + 1 < bytes.length ? digits[(three >> 6) & 63]! : padding;
    text[to + 3] = at + 2 < bytes.length ? digits[three & 63]! : padding;
  }
  return new TextDecoder().decode(text);
}

/** @throws StateMismatchError for what is no base64 of whole doubles. */
export function decodeDoubles(text: unknown): Float64Array<ArrayBuffer> {
  return new Float64Array(decodeBytes(text, 8));
}

/** @throws StateMismatchError for what is no base64 of whole int32. */
export function decodeIntegers(text: unknown): Int32Array<ArrayBuffer> {
  return new Int32Array(decodeBytes(text, 4));
}

function decodeBytes(text: unknown, bytesEach: number): ArrayBuffer {
  try {
    if (typeof text !== 'string') throw new TypeError('they are no text');
    const binary = atob(text);
    if (binary.length % bytesEach !== 0) throw new RangeError(`${binary.length} bytes are no whole number of them`);
    const bytes = new Uint8Array(binary.length);
    for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index);
    return bytes.buffer;
  } catch (cause) {
    throw new StateMismatchError(`numbers in the state cannot be read: ${(cause as Error).message}`, { cause });
  }
}
