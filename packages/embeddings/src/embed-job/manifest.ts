import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { CorruptFileError } from '@rarefy/core';
import { checkName, nodeFileSystem, orFileError, quoted, type WriteOptions } from '@rarefy/io';
import type { WritableDtype } from '../table/embedding-dtype.js';

/** What is known of an embeddings file, in `<file>.manifest.json` beside it. */
export interface EmbeddingManifest {
  readonly version: 1;
  /** The embeddings file, and what belongs to it, in the same folder. */
  readonly files: readonly FileDigest[];
  /** Rows and columns of the file. */
  readonly rows: number;
  readonly dimensions: number;
  readonly dtype: WritableDtype;
  /** Fingerprint of the embedder. */
  readonly embedder: string;
  /** What the caller noted of the model: name, revision, pooling, … */
  readonly model: Readonly<Record<string, string>>;
  /** Rows that were read, the digest of their ids and items, and what the caller noted of where they came from. */
  readonly data: { readonly rows: number; readonly sha256: string } & Readonly<Record<string, string | number>>;
  readonly counts: {
    /** Items that are different, and so were embedded. */
    readonly distinct: number;
    /** Rows whose text was cut. */
    readonly truncated: number;
    readonly failed: number;
  };
  /** Rows that are not in the file. */
  readonly failed: readonly FailedRow[];
  readonly shardRows: number;
  readonly versions: Readonly<Record<string, string>>;
}

export interface FileDigest {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A row that could not be embedded, alone and after retries. */
export interface FailedRow {
  readonly id: string;
  readonly message: string;
}

export const manifestPath = (out: string) => `${out}.manifest.json`;

const unsealed = '0'.repeat(64);
const seal = /^( {2}"checksum": ")([0-9a-f]{64})("\n}\n)$/m;

/** The text of a manifest; its last line holds the SHA-256 of the text with zeros there, so that a change of any bit shows. */
export function encodeManifest(manifest: EmbeddingManifest): Uint8Array {
  const text = `${JSON.stringify({ ...manifest, checksum: unsealed }, null, 2)}\n`;
  return Buffer.from(text.replace(seal, `$1${sha256(text)}$3`));
}

/** What the readers of a manifest rely on: anyone can make a checksum. */
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

/** @throws CorruptFileError for a text of another checksum, and for names that lead out of the folder. */
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
    // told below
  }
  if (!manifest) {
    throw new CorruptFileError(`${path} is damaged; embed again, anew (resume: false, --no-resume)`);
  }
  for (const { name } of manifest.files) {
    checkName(name, path);
    checkName(basename(name) === name ? name : `./${name}`, path); // in this very folder
  }
  return manifest;
}

/**
 * The manifest beside an embeddings file, checked.
 * @throws InputError when there is none; CorruptFileError when it is damaged.
 */
export async function readEmbeddingManifest(
  out: string,
  { fileSystem = nodeFileSystem }: WriteOptions = {},
): Promise<EmbeddingManifest> {
  const path = manifestPath(out);
  return decodeManifest(Buffer.from(await orFileError('read', path, fileSystem.readText(path))), path);
}

/**
 * Checks an embeddings file against the manifest beside it, every byte.
 * @throws InputError when one of the two cannot be read; CorruptFileError when they do not fit, or the manifest is that of a file of
 * another name.
 */
export async function verifyEmbeddings(out: string, options: WriteOptions = {}): Promise<EmbeddingManifest> {
  const manifest = await readEmbeddingManifest(out, options);
  const [own] = manifest.files;
  if (own?.name !== basename(out)) {
    throw new CorruptFileError(
      `${manifestPath(out)} describes ${own ? quoted(own.name) : 'no file'}, and not ${quoted(basename(out))}; give the file the name that it was written under, or embed anew (resume: false, --no-resume)`,
    );
  }
  for (const { name, bytes, sha256 } of manifest.files) {
    const path = join(dirname(out), name);
    const found = await fileDigest(path, options);
    if (found.sha256 === sha256 && found.bytes === bytes) continue;
    throw new CorruptFileError(
      `${path} is not the file that ${manifestPath(out)} describes; copy it again, or embed anew (resume: false, --no-resume)`,
    );
  }
  return manifest;
}

/** Length and digest of a file. @throws InputError when it cannot be read; the signal's reason on abort. */
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
