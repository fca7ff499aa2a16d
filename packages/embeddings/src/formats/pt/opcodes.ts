const names: Readonly<Record<number, string>> = {
  40: 'MARK',
  41: 'EMPTY_TUPLE',
  46: 'STOP',
  48: 'POP',
  49: 'POP_MARK',
  50: 'DUP',
  66: 'BINBYTES',
  67: 'SHORT_BINBYTES',
  70: 'FLOAT',
  71: 'BINFLOAT',
  73: 'INT',
  74: 'BININT',
  75: 'BININT1',
  76: 'LONG',
  77: 'BININT2',
  78: 'NONE',
  80: 'PERSID',
  81: 'BINPERSID',
  82: 'REDUCE',
  83: 'STRING',
  84: 'BINSTRING',
  85: 'SHORT_BINSTRING',
  86: 'UNICODE',
  88: 'BINUNICODE',
  93: 'EMPTY_LIST',
  97: 'APPEND',
  98: 'BUILD',
  99: 'GLOBAL',
  100: 'DICT',
  101: 'APPENDS',
  103: 'GET',
  104: 'BINGET',
  105: 'INST',
  106: 'LONG_BINGET',
  108: 'LIST',
  111: 'OBJ',
  112: 'PUT',
  113: 'BINPUT',
  114: 'LONG_BINPUT',
  115: 'SETITEM',
  116: 'TUPLE',
  117: 'SETITEMS',
  125: 'EMPTY_DICT',
  128: 'PROTO',
  129: 'NEWOBJ',
  130: 'EXT1',
  131: 'EXT2',
  132: 'EXT4',
  133: 'TUPLE1',
  134: 'TUPLE2',
  135: 'TUPLE3',
  136: 'NEWTRUE',
  137: 'NEWFALSE',
  138: 'LONG1',
  139: 'LONG4',
  140: 'SHORT_BINUNICODE',
  141: 'BINUNICODE8',
  142: 'BINBYTES8',
  143: 'EMPTY_SET',
  144: 'ADDITEMS',
  145: 'FROZENSET',
  146: 'NEWOBJ_EX',
  147: 'STACK_GLOBAL',
  148: 'MEMOIZE',
  149: 'FRAME',
  150: 'BYTEARRAY8',
  151: 'NEXT_BUFFER',
  152: 'READONLY_BUFFER',
};

/** Name of a pickle opcode, as in Python's pickletools. */
export function opcodeName(code: number): string {
  return names[code] ?? `0x${code.toString(16).padStart(2, '0')}`;
}

/** Fixed bytes after each opcode that is accepted. The bytes of a string or long integer follow its length. */
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

/** The two lines of a GLOBAL as `module.name`, and the offset after them; or why they cannot be read. */
export function readGlobal(bytes: Buffer, start: number): { name: string; end: number } | 'truncated' | 'invalid' {
  const first = endOfLine(bytes, start);
  const second = first === undefined ? undefined : endOfLine(bytes, first + 1);
  if (first === undefined || second === undefined)
    return bytes.length - start < 2 * maxNameBytes ? 'truncated' : 'invalid';
  const name = `${bytes.toString('latin1', start, first)}.${bytes.toString('latin1', first + 1, second)}`;
  return { name, end: second + 1 };
}

/** Offset of the next line feed within the longest name; undefined if there is none. */
function endOfLine(bytes: Uint8Array, from: number): number | undefined {
  const limit = Math.min(bytes.length, from + maxNameBytes);
  for (let index = from; index < limit; index++) if (bytes[index] === 0x0a) return index;
  return undefined;
}

/** A signed integer in little-endian two's complement. */
export function readInteger(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!);
  value = BigInt.asIntN(8 * bytes.length, value);
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** A string, or undefined if the bytes are not UTF-8. */
export function readText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8'); // faster than TextDecoder, which is needed only if this text looks damaged
  if (!text.includes('\ufffd')) return text;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
