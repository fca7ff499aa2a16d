/** The hashes of the last points of a stream, `rows` a point, in a ring. */
export interface RaceWindow {
  /** Points in it. */
  readonly size: number;
  /** Takes points in, calling `expire` with the hashes of those that fall out. */
  push(codes: Uint16Array, expire: (codes: Uint16Array) => void): void;
  /** Oldest first; a copy. */
  codes(): Uint16Array;
}

/** @param capacity points, at most */
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
        const place = ring.subarray(next * rows, (next + 1) * rows);
        if (size === capacity) expire(place);
        else size++;
        place.set(codes.subarray(start, start + rows));
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
