import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** One stored row: SHA-256 of its item, whether the text was cut, the numbers, and a checksum over all of that. */
export interface StoredRow {
  readonly key: string;
  readonly isCut: boolean;
  readonly row: Float32Array;
}

const keyBytes = 32;
const checksumBytes = 4;

/** Bytes a row takes in a file. */
export function recordBytes(dimensions: number): number {
  return keyBytes + 1 + 4 * dimensions + checksumBytes;
}

/** Equal items have equal keys: SHA-256 of the item as JSON, in hexadecimal. */
export function itemKey(item: unknown): string {
  return createHash('sha256').update(JSON.stringify(item)).digest('hex');
}

/** @param out `recordBytes(row.length)` bytes */
export function writeRecord(out: Buffer, { key, isCut, row }: StoredRow): void {
  out.write(key, 0, 'hex');
  out[keyBytes] = isCut ? 1 : 0;
  for (let col = 0; col < row.length; col++) out.writeFloatLE(row[col]!, keyBytes + 1 + 4 * col);
  out.writeUInt32LE(crc32(out.subarray(0, -checksumBytes)), out.length - checksumBytes);
}

/** The row in a record, or undefined when its bytes are not those that were written. */
export function readRecord(record: Buffer): StoredRow | undefined {
  if (crc32(record.subarray(0, -checksumBytes)) !== record.readUInt32LE(record.length - checksumBytes))
    return undefined;
  const row = new Float32Array((record.length - keyBytes - 1 - checksumBytes) / 4);
  for (let col = 0; col < row.length; col++) row[col] = record.readFloatLE(keyBytes + 1 + 4 * col);
  return { key: record.toString('hex', 0, keyBytes), isCut: record[keyBytes] === 1, row };
}
