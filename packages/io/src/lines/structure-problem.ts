/** Deepest nesting of a line; JSON.stringify overflows the stack some 4,000 levels down. */
export const maxDepth = 1000;

/** Most brackets, commas and colons of a line, outside of texts: near the number of its keys and values. */
export const maxParts = 2 ** 18;

/**
 * Why JSON.parse must not see a line, in words, or undefined: of 16 MB of brackets it makes 500 MB of arrays, in seconds. Looks
 * at structure alone, each byte once, so it may be given bytes that are no JSON.
 */
export function structureProblem(bytes: Uint8Array): string | undefined {
  if (bytes.length <= maxDepth) return undefined;
  let depth = 0;
  let parts = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === 0x22) {
      for (index++; index < bytes.length && bytes[index] !== 0x22; index++) if (bytes[index] === 0x5c) index++;
    } else if (byte === 0x5b || byte === 0x7b) {
      parts++;
      if (++depth > maxDepth) return `nests deeper than ${maxDepth} levels`;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
    else if (byte === 0x2c || byte === 0x3a) parts++;
    if (parts > maxParts) return `holds more than ${maxParts} keys and values`;
  }
  return undefined;
}
