/** A value of Thrift's compact protocol; structs by field number. Integers beyond 2^53 are rejected: no valid file has them. */
export type ThriftValue = number | boolean | Uint8Array | readonly ThriftValue[] | ThriftStruct;
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

const maxDepth = 16;

/**
 * Reads one struct of Thrift's compact protocol, as Parquet uses it: no maps, sets or UUIDs. Every value takes at least one byte,
 * so the result cannot grow beyond the bytes that are there.
 * Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 * @returns the struct, and the offset after it; undefined if the bytes are not a struct or end within it
 */
export function readThrift(
  bytes: Uint8Array,
  start: number,
): { readonly value: ThriftStruct; readonly end: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  let isValid = true;
  const fail = () => {
    isValid = false;
    return 0;
  };
  const byte = () => (at < bytes.length ? bytes[at++]! : fail());
  const varint = () => {
    let value = 0;
    for (let scale = 1; isValid; scale *= 128) {
      const part = byte();
      value += (part & 0x7f) * scale;
      if (part < 0x80) return Number.isSafeInteger(value) ? value : fail();
      if (scale > 2 ** 56) return fail();
    }
    return 0;
  };
  const zigzag = () => {
    const value = varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const element = (type: number, depth: number): ThriftValue => {
    switch (type) {
      case 1:
      case 2:
        return byte() === 1; // in a list; for a field, its type is the value
      case 3:
        return (byte() << 24) >> 24;
      case 4:
      case 5:
      case 6:
        return zigzag();
      case 7: {
        if (at + 8 > bytes.length) return fail();
        const value = view.getFloat64(at, true);
        at += 8;
        return value;
      }
      case 8: {
        const length = varint();
        if (!isValid || at + length > bytes.length) return fail();
        at += length;
        return bytes.subarray(at - length, at);
      }
      case 9: {
        const head = byte();
        const length = head >> 4 === 15 ? varint() : head >> 4;
        if (!isValid || length > bytes.length - at || depth >= maxDepth) return fail();
        const items: ThriftValue[] = [];
        for (let index = 0; index < length && isValid; index++) items.push(element(head & 15, depth + 1));
        return items;
      }
      case 12:
        return struct(depth + 1);
      default:
        return fail();
    }
  };
  const struct = (depth: number): ThriftStruct => {
    const fields = new Map<number, ThriftValue>();
    if (depth > maxDepth) fail();
    for (let field = 0; isValid; ) {
      const head = byte();
      const type = head & 15;
      if (type === 0) {
        if (head !== 0) fail();
        break;
      }
      field = head >> 4 === 0 ? zigzag() : field + (head >> 4);
      if (fields.has(field)) fail();
      fields.set(field, type <= 2 ? type === 1 : element(type, depth));
    }
    return fields;
  };
  const value = struct(0);
  return isValid ? { value, end: at } : undefined;
}
