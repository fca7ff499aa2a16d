/** Bytes that follow each opcode of the closed list of {@link unpickle}; a text or long integer comes after its length. */
export const argumentBytes: readonly (number | undefined)[] = tableOf({
  0: [0x28, 0x29, 0x2e, 0x4e, 0x51, 0x52, 0x5d, 0x61, 0x63, 0x65, 0x73, 0x74, 0x75, 0x7d, 0x85, 0x86, 0x87, 0x88, 0x89],
  1: [0x4b, 0x68, 0x71, 0x80, 0x8a],
  2: [0x4d],
  4: [0x4a, 0x58, 0x6a, 0x72],
  8: [0x47],
});

function tableOf(opcodes: Readonly<Record<number, readonly number[]>>): (number | undefined)[] {
  const table: (number | undefined)[] = [];
  for (const [bytes, codes] of Object.entries(opcodes)) for (const code of codes) table[code] = Number(bytes);
  return table;
}

const maxNameBytes = 64;

/** The two lines of a GLOBAL as `module.name`, and the position after them; or why there are none. */
export function readGlobal(bytes: Buffer, start: number): { name: string; end: number } | 'cut off' | 'none' {
  const first = endOfLine(bytes, start);
  const second = first === undefined ? undefined : endOfLine(bytes, first + 1);
  if (first === undefined || second === undefined) return bytes.length - start < 2 * maxNameBytes ? 'cut off' : 'none';
  const name = `${bytes.toString('latin1', start, first)}.${bytes.toString('latin1', first + 1, second)}`;
  return { name, end: second + 1 };
}

/** Position of the next line feed, if it is near. */
function endOfLine(bytes: Uint8Array, from: number): number | undefined {
  const limit = Math.min(bytes.length, from + maxNameBytes);
  for (let index = from; index < limit; index++) if (bytes[index] === 0x0a) return index;
  return undefined;
}

/** A signed integer, little-endian and two's complement. */
export function readInteger(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!);
  value = BigInt.asIntN(8 * bytes.length, value);
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** A text, or undefined when the bytes are not UTF-8. */
export function readText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8'); // several times faster than a TextDecoder, which only what looks broken must pass
  if (!text.includes('\ufffd')) return text;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
