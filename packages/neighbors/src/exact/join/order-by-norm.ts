const buckets = 65536;

/**
 * Orders rows by norm, to a precision of 7 binary digits: enough to keep the largest norm of a block close to the others. Rows
 * whose norms agree to that precision stay in their order. Linear time.
 * @param squared squared norm of each row
 */
export function orderByNorm(rows: Int32Array, squared: Float64Array): Int32Array {
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  const bucketOf = (row: number) => {
    value[0] = Math.sqrt(squared[row]!);
    return bits[0]! >>> 16;
  };
  const starts = new Int32Array(buckets + 1);
  for (const row of rows) starts[bucketOf(row) + 1]!++;
  for (let bucket = 0; bucket < buckets; bucket++) starts[bucket + 1]! += starts[bucket]!;
  const ordered = new Int32Array(rows.length);
  for (const row of rows) ordered[starts[bucketOf(row)]!++] = row;
  return ordered;
}
