/** A table of a flatbuffer. Accessors throw {@link outOfRange} for what lies outside the bytes, whatever the offsets in them say. */
export interface FlatTable {
  /** Integers of a field; the default of the format, 0, when it is left out. */
  uint8(field: number): number;
  int16(field: number): number;
  int32(field: number): number;
  /** Not negative and below 2^53. */
  int64(field: number): number;
  table(field: number): FlatTable | undefined;
  tables(field: number): FlatTable[];
  text(field: number): string;
  /** Structs of int64 numbers, `width` of them each. */
  structs(field: number, width: number): number[][];
}

/** What accessors throw; the caller makes an error that names the file of it. */
export const outOfRange = Symbol('outside the flatbuffer');

/**
 * The root table. Tables and texts may share their bytes, so a small buffer can stand for more of them than anyone could visit: all
 * tables given out, and the bytes of all texts, are together at most twice the buffer. Format: https://flatbuffers.dev/internals/
 * @throws outOfRange
 */
export function flatbuffer(bytes: Uint8Array): FlatTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const inside = (at: number, length: number) => {
    if (!(at >= 0 && at + length <= bytes.length)) throw outOfRange;
    return at;
  };
  const int64At = (at: number) => {
    const value = Number(view.getBigInt64(inside(at, 8), true));
    if (value < 0 || !Number.isSafeInteger(value)) throw outOfRange;
    return value;
  };
  const target = (at: number) => at + view.getUint32(inside(at, 4), true);
  const vector = (at: number, elementBytes: number) => {
    const start = target(at);
    const length = view.getUint32(inside(start, 4), true);
    inside(start + 4, length * elementBytes);
    return { start: start + 4, length };
  };
  let left = 2 * bytes.length;
  const spend = (cost: number) => {
    left -= cost;
    if (left < 0) throw outOfRange;
  };
  const table = (position: number): FlatTable => {
    spend(1);
    const vtable = position - view.getInt32(inside(position, 4), true);
    const vtableBytes = view.getUint16(inside(vtable, 2), true);
    const fieldAt = (field: number): number | undefined => {
      const slot = 4 + 2 * field;
      if (slot + 2 > vtableBytes) return undefined;
      const offset = view.getUint16(inside(vtable + slot, 2), true);
      return offset === 0 ? undefined : position + offset;
    };
    const scalar = (field: number, size: number, read: (at: number) => number) => {
      const at = fieldAt(field);
      return at === undefined ? 0 : read(inside(at, size));
    };
    return {
      uint8: (field) => scalar(field, 1, (at) => view.getUint8(at)),
      int16: (field) => scalar(field, 2, (at) => view.getInt16(at, true)),
      int32: (field) => scalar(field, 4, (at) => view.getInt32(at, true)),
      int64: (field) => scalar(field, 8, int64At),
      table(field) {
        const at = fieldAt(field);
        return at === undefined ? undefined : table(target(at));
      },
      tables(field) {
        const at = fieldAt(field);
        if (at === undefined) return [];
        const { start, length } = vector(at, 4);
        return Array.from({ length }, (_, index) => table(target(start + 4 * index)));
      },
      text(field) {
        const at = fieldAt(field);
        if (at === undefined) return '';
        const { start, length } = vector(at, 1);
        spend(length);
        return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('utf8');
      },
      structs(field, width) {
        const at = fieldAt(field);
        if (at === undefined) return [];
        const { start, length } = vector(at, 8 * width);
        return Array.from({ length }, (_, index) =>
          Array.from({ length: width }, (_, part) => int64At(start + 8 * (width * index + part))),
        );
      },
    };
  };
  return table(target(0));
}
