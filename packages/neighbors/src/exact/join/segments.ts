/** Rows [start, end). */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** Cuts rows into segments of at most `most`, of nearly equal size. */
export function segmentsOf(rows: number, most: number): Segment[] {
  const count = Math.max(1, Math.ceil(rows / most));
  return Array.from({ length: count }, (_, at) => ({
    start: Math.floor((at * rows) / count),
    end: Math.floor(((at + 1) * rows) / count),
  }));
}
