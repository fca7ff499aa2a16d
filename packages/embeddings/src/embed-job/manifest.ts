import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { CorruptFileError, checkOptions } from '@rarefy/core';
import { checkName, nodeFileSystem, orFileError, quoted, type WriteOptions, writeOptionNames } from '@rarefy/io';
import type { WritableDtype } from '../table/table.js';

/** Description of an embedding file, stored beside it as `<file>.manifest.json`. */
export interface EmbeddingManifest {
  readonly version: 1;
  /** The embedding file, and its ids file if it has one, in the same folder. */
  readonly files: readonly FileDigest[];
  /** Number of rows and columns in the file. */
  readonly rows: number;
  readonly dimensions: number;
  readonly dtype: WritableDtype;
  /** Fingerprint of the embedder. */
  readonly embedder: string;
  /** The caller's notes about the model: name, revision, pooling, … */
  readonly model: Readonly<Record<string, string>>;
  /** Number of rows read, SHA-256 of their ids and items, and the caller's notes about their origin. */
  readonly data: { readonly rows: number; readonly sha256: string } & Readonly<Record<string, string | number>>;
  readonly counts: {
    /** Number of distinct items, which were embedded. */
    readonly distinct: number;
    /** Number of rows whose text was truncated. */
    readonly truncated: number;
    readonly failed: number;
  };
  /** Rows that are missing in the file. */
  readonly failed: readonly FailedRow[];
  readonly shardRows: number;
  readonly versions: Readonly<Record<string, string>>;
}

export interface FileDigest {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A row that could not be embedded, even alone and after retries. */
export interface FailedRow {
  readonly id: string;
  readonly message: string;
}

export const manifestPath = (out: string) => `${out}.manifest.json`;

const unsealed = '0'.repeat(64);
const seal = /^( {2}"checksum": ")([0-9a-f]{64})("\n}\n)$/m;

/** Encodes a manifest. Its last line is the SHA-256 of the text with zeros in its place, so that any changed bit is detected. */
export function encodeManifest(manifest: EmbeddingManifest): Uint8Array {
  const text = `${JSON.stringify({ ...manifest, checksum: unsealed }, null, 2)}\n`;
  return Buffer.from(text.replace(seal, `$1${sha256(text)}$3`));
}

/** Checks the fields that readers use. A correct checksum does not prove that they are valid. */
function isManifest(body: Record<string, unknown>): body is Record<string, unknown> & EmbeddingManifest {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  const isFile = (file: FileDigest | null) => typeof file?.sha256 === 'string' && isCount(file.bytes);
  const isFailure = (row: FailedRow | null) => typeof row?.id === 'string' && typeof row.message === 'string';
  const { version, files, rows, dimensions, shardRows, dtype, embedder, model, data, counts, failed, versions } = body;
  return (
    version === 1 &&
    Array.isArray(files) &&
    files.every(isFile) &&
    Array.isArray(failed) &&
    failed.every(isFailure) &&
    [rows, dimensions, shardRows].every(isCount) &&
    [model, data, counts, versions].every(isObject) &&
    typeof dtype === 'string' &&
    typeof embedder === 'string'
  );
}

/** @throws CorruptFileError for a wrong checksum or field, and for file names outside of the folder. */
export function decodeManifest(bytes: Uint8Array, path: string): EmbeddingManifest {
  let manifest: EmbeddingManifest | undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const [whole = '', before, checksum, after] = seal.exec(text) ?? [];
    const isWhole = whole !== '' && text.endsWith(whole);
    if (isWhole && sha256(text.slice(0, -whole.length) + before + unsealed + after) === checksum) {
      const { checksum: _, ...body } = JSON.parse(text);
      if (isManifest(body)) manifest = body;
    }
  } catch {
    // reported below
  }
  if (!manifest) {
    throw new CorruptFileError(`${path} is damaged; embed again from the start (resume: false, --no-resume)`);
  }
  for (const { name } of manifest.files) {
    checkName(name, path);
    checkName(basename(name) === name ? name : `./${name}`, path); // must be in this folder
  }
  return manifest;
}

/**
 * Reads the manifest beside an embedding file.
 * @throws InputError if it cannot be read; CorruptFileError if it is damaged.
 */
export async function readEmbeddingManifest(out: string, options: WriteOptions = {}): Promise<EmbeddingManifest> {
  checkOptions(options, writeOptionNames, 'readEmbeddingManifest');
  const { fileSystem = nodeFileSystem } = options;
  const path = manifestPath(out);
  return decodeManifest(Buffer.from(await orFileError('read', path, fileSystem.readText(path))), path);
}

/**
 * Checks every byte of an embedding file against the manifest beside it.
 * @throws InputError if one of them cannot be read; CorruptFileError if they do not match, or the manifest describes another file.
 */
export async function verifyEmbeddings(out: string, options: WriteOptions = {}): Promise<EmbeddingManifest> {
  checkOptions(options, writeOptionNames, 'verifyEmbeddings');
  const manifest = await readEmbeddingManifest(out, options);
  const [own] = manifest.files;
  if (own?.name !== basename(out)) {
    throw new CorruptFileError(
      `${manifestPath(out)} describes ${own ? quoted(own.name) : 'no file'}, not ${quoted(basename(out))}; rename the file to its original name, or embed again from the start (resume: false, --no-resume)`,
    );
  }
  for (const { name, bytes, sha256 } of manifest.files) {
    const path = join(dirname(out), name);
    const found = await fileDigest(path, options);
    if (found.sha256 === sha256 && found.bytes === bytes) continue;
    throw new CorruptFileError(
      `${path} is not the file that ${manifestPath(out)} describes; copy it again, or embed again from the start (resume: false, --no-resume)`,
    );
  }
  return manifest;
}

/** Size and SHA-256 of a file. @throws InputError if it cannot be read; the signal's reason on abort. */
export async function fileDigest(path: string, options: WriteOptions): Promise<FileDigest> {
  const { fileSystem = nodeFileSystem, signal } = options;
  const file = await orFileError('read', path, fileSystem.open(path));
  try {
    const hash = createHash('sha256');
    const block = new Uint8Array(2 ** 20);
    for (let bytes = 0; ; ) {
      signal?.throwIfAborted();
      const length = await orFileError('read', path, file.read(block, bytes));
      hash.update(block.subarray(0, length));
      bytes += length;
      if (length < block.length) return { name: basename(path), bytes, sha256: hash.digest('hex') };
    }
  } finally {
    await file.close().catch(() => {});
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
