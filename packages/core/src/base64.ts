/** Bytes per `btoa` call. A multiple of 3, so that consecutive blocks join without padding. */
const blockBytes = 3 * 2 ** 13;

/**
 * Encodes the bytes of a typed array as base64: exact, and shorter than JSON numbers. Bytes are in the order of this platform,
 * which is little-endian wherever Rarefy runs.
 */
export function encodeBase64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  if (typeof Buffer !== 'undefined') return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = '';
  for (let start = 0; start < bytes.length; start += blockBytes) {
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + blockBytes)));
  }
  return text;
}

/** Decodes base64 to bytes. @throws DOMException (InvalidCharacterError) if `text` is not valid base64. */
export function decodeBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
