import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CorruptFileError } from '@rarefy/core';
import type { WritableDtype } from '../table/embedding-dtype.js';

/** What decides every byte of a job's result. */
export interface EmbedJob {
  /** Fingerprint of the embedder. */
  readonly embedder: string;
  readonly dimensions: number;
  readonly dtype: WritableDtype;
  readonly shardRows: number;
  /** How many rows the data has. */
  readonly rows: number;
  /** SHA-256 of the ids and items of all rows. */
  readonly rowsSha256: string;
}

/** What a shard says about its rows. A failed row has an id and no numbers. */
export interface ShardHeader {
  /** A shard of another job is no part of this one. */
  readonly job: EmbedJob;
  /** Place among the shards. */
  readonly index: number;
  /** Position in the data of the first row. */
  readonly start: number;
  /** One a row, failed ones included. */
  readonly ids: readonly string[];
  /** SHA-256 of ids and items of these rows. */
  readonly rowsSha256: string;
  /** Rows within the shard whose text was cut. */
  readonly truncated: readonly number[];
  readonly failed: readonly { readonly row: number; readonly message: string }[];
  /** Bytes of a row of numbers; the rows that did not fail follow the header, in order. */
  readonly rowBytes: number;
}

export interface Shard {
  readonly header: ShardHeader;
  readonly data: Uint8Array;
}

interface StoredHeader extends ShardHeader {
  /** CRC-32 of each MiB of the data, so that a part can be checked without the rest. */
  readonly crc32: readonly number[];
}

const magic = Buffer.from('rarefy\n1');
export const blockBytes = 2 ** 20;
const fixedBytes = 16; // magic, length of the header, its CRC-32
const digestBytes = 32;

/** Bytes of a shard: magic, header length and CRC-32, header in JSON, data, SHA-256 of all before. */
export function encodeShard({ header, data }: Shard): Uint8Array[] {
  const checks: number[] = [];
  for (let at = 0; at < data.length; at += blockBytes) checks.push(crc32(data.subarray(at, at + blockBytes)));
  const json = Buffer.from(JSON.stringify({ ...header, crc32: checks } satisfies StoredHeader));
  const fixed = Buffer.alloc(fixedBytes);
  fixed.set(magic);
  fixed.writeUInt32LE(json.length, 8);
  fixed.writeUInt32LE(crc32(json), 12);
  const parts = [fixed, json, data];
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return [...parts, hash.digest()];
}

/** A shard from its bytes, all of which are checked; `data` is a view. @throws CorruptFileError for any that differ. */
export function decodeShard(bytes: Uint8Array, name: string): Shard {
  const end = bytes.length - digestBytes;
  const hash = createHash('sha256')
    .update(bytes.subarray(0, Math.max(0, end)))
    .digest();
  if (end < fixedBytes || hash.compare(bytes, end) !== 0) throw damaged(name);
  const { header, dataStart } = decodeHeader(bytes, name);
  return { header, data: bytes.subarray(dataStart, end) };
}

/** How many bytes the header takes, from the first 16 of the file. @throws CorruptFileError */
export function shardHeaderBytes(first16: Uint8Array, fileBytes: number, name: string): number {
  const view = Buffer.from(first16.buffer, first16.byteOffset, first16.byteLength);
  if (view.length < fixedBytes || !view.subarray(0, 8).equals(magic)) throw damaged(name);
  const end = fixedBytes + view.readUInt32LE(8);
  if (end + digestBytes > fileBytes) throw damaged(name);
  return end;
}

/** The header from the first bytes of a file, and where its data begins. @throws CorruptFileError */
export function decodeHeader(bytes: Uint8Array, name: string): { header: StoredHeader; dataStart: number } {
  const dataStart = shardHeaderBytes(bytes.subarray(0, fixedBytes), Number.POSITIVE_INFINITY, name);
  const json = Buffer.from(bytes.buffer, bytes.byteOffset + fixedBytes, Math.min(bytes.length, dataStart) - fixedBytes);
  const expected = Buffer.from(bytes.buffer, bytes.byteOffset, fixedBytes).readUInt32LE(12);
  if (bytes.length < dataStart || crc32(json) !== expected) throw damaged(name);
  return { header: parseHeader(json.toString('utf8'), name), dataStart };
}

/** Its checksum was right, so it is what was written; this is for files that others made. */
function parseHeader(json: string, name: string): StoredHeader {
  try {
    const header = JSON.parse(json) as StoredHeader;
    const { job, ids, failed, truncated, crc32: checks } = header;
    const isSound = [ids, failed, truncated, checks].every(Array.isArray) && typeof job === 'object' && job !== null;
    if (isSound && ids.every((id) => typeof id === 'string')) return header;
  } catch {
    // told below
  }
  throw damaged(name);
}

/** @throws CorruptFileError when a block of the data is not what was written. */
export function checkBlock(block: Uint8Array, expected: number | undefined, name: string): void {
  if (crc32(block) !== expected) throw damaged(name);
}

function damaged(name: string): CorruptFileError {
  return new CorruptFileError(`${name} is damaged (its checksum differs); run the job again, which computes it anew`);
}
