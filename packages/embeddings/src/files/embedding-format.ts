import { extname } from 'node:path';
import { described, InvalidArgumentError } from '@rarefy/core';
import { npyMagic } from '../formats/npy.js';
import { type WritableDtype, writableDtypes } from '../table/table.js';

/** A format of embedding files. */
export type EmbeddingFormat = 'safetensors' | 'npy' | 'pt' | 'parquet' | 'arrow';

const formats: Readonly<Record<string, EmbeddingFormat>> = {
  '.safetensors': 'safetensors',
  '.npy': 'npy',
  '.pt': 'pt',
  '.pth': 'pt',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
  '.feather': 'arrow',
};

/** Dtypes that each format can store. */
export const supportedDtypes: Readonly<Record<EmbeddingFormat, readonly WritableDtype[]>> = {
  safetensors: ['float32', 'float16', 'bfloat16'],
  npy: ['float32', 'float16'],
  pt: ['float32', 'float16', 'bfloat16'],
  parquet: ['float32'],
  arrow: ['float32', 'float16'],
};

/** Formats whose ids are UTF-8. The others store ids as JSON, which can escape a lone surrogate. */
export const utf8Formats: readonly EmbeddingFormat[] = ['pt', 'parquet', 'arrow'];

/** Format by the file extension, in upper or lower case; undefined for any other extension. */
export function formatOfName(path: string): EmbeddingFormat | undefined {
  const extension = extname(path).toLowerCase();
  return Object.hasOwn(formats, extension) ? formats[extension] : undefined;
}

/**
 * Format of a file to write, by its extension.
 * @param dtype dtype that the format must support
 * @throws InvalidArgumentError if `path` is not a string; or that lists the extensions, or the dtypes that the format supports.
 */
export function formatToWrite(path: string, dtype?: WritableDtype): EmbeddingFormat {
  if (typeof path !== 'string') {
    throw new InvalidArgumentError(`the path of an embedding file must be a string, got ${described(path)}`);
  }
  const format = formatOfName(path);
  if (format === undefined) {
    throw new InvalidArgumentError(
      `${path} has no extension of an embedding file; use one of ${Object.keys(formats).join(', ')}`,
    );
  }
  if (dtype === undefined || supportedDtypes[format].includes(dtype)) return format;
  if (!writableDtypes.includes(dtype)) {
    throw new InvalidArgumentError(`dtype must be one of ${writableDtypes.join(', ')}, got ${dtype}`);
  }
  throw new InvalidArgumentError(
    `${path} can store ${supportedDtypes[format].join(' or ')}, not ${dtype}; write .safetensors or .pt`,
  );
}

/** Number of bytes that {@link formatOfContent} needs. */
export const formatHeadBytes = 16;

/** Format by the first bytes; undefined if they match none. @param head at least 16 bytes, or the whole file */
export function formatOfContent(head: Uint8Array): EmbeddingFormat | undefined {
  const text = Buffer.from(head.subarray(0, formatHeadBytes)).toString('latin1');
  if (npyMagic.every((byte, index) => head[index] === byte)) return 'npy';
  if (text[8] === '{' && text.slice(4, 8) === '\0\0\0\0') return 'safetensors'; // a header shorter than 4 GB
  if (text.startsWith('PK') || text.startsWith('\x80\x02\x8a')) return 'pt';
  if (text.startsWith('PAR1')) return 'parquet';
  if (text.startsWith('ARROW1') || text.startsWith('\xff\xff\xff\xff')) return 'arrow';
  return undefined;
}
