import { extname } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';
import { npyMagic } from '../formats/npy/npy-header.js';
import { type WritableDtype, writableDtypes } from '../table/embedding-dtype.js';

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

/** The dtypes that a format can be written in. */
export const heldDtypes: Readonly<Record<EmbeddingFormat, readonly WritableDtype[]>> = {
  safetensors: ['float32', 'float16', 'bfloat16'],
  npy: ['float32', 'float16'],
  pt: ['float32', 'float16', 'bfloat16'],
  parquet: ['float32'],
  arrow: ['float32', 'float16'],
};

/** The formats whose ids are UTF-8; the others have them in JSON, which escapes half of a surrogate pair. */
export const utf8Formats: readonly EmbeddingFormat[] = ['pt', 'parquet', 'arrow'];

/** By the extension, in any case; undefined when it is none of an embedding file. */
export function formatOfName(path: string): EmbeddingFormat | undefined {
  const extension = extname(path).toLowerCase();
  return Object.hasOwn(formats, extension) ? formats[extension] : undefined;
}

/**
 * The format of a file to write.
 * @param dtype what it is to hold; default anything
 * @throws InvalidArgumentError listing the extensions, or the dtypes that the format holds.
 */
export function formatToWrite(path: string, dtype?: WritableDtype): EmbeddingFormat {
  const format = formatOfName(path);
  if (format === undefined) {
    throw new InvalidArgumentError(
      `${path} does not say its format; let its name end with one of ${Object.keys(formats).join(', ')}`,
    );
  }
  if (dtype === undefined || heldDtypes[format].includes(dtype)) return format;
  if (!writableDtypes.includes(dtype)) {
    throw new InvalidArgumentError(`dtype must be one of ${writableDtypes.join(', ')}, got ${dtype}`);
  }
  throw new InvalidArgumentError(
    `${path} would hold ${heldDtypes[format].join(' or ')}, and not ${dtype}; write .safetensors or .pt`,
  );
}

/** Enough of a file for {@link formatOfContent}. */
export const formatHeadBytes = 16;

/** By the first bytes; undefined when they are those of no format. @param head at least 16 bytes, or all of the file */
export function formatOfContent(head: Uint8Array): EmbeddingFormat | undefined {
  const text = Buffer.from(head.subarray(0, formatHeadBytes)).toString('latin1');
  if (npyMagic.every((byte, index) => head[index] === byte)) return 'npy';
  if (text[8] === '{' && text.slice(4, 8) === '\0\0\0\0') return 'safetensors'; // a header below 4 GB
  if (text.startsWith('PK') || text.startsWith('\x80\x02\x8a')) return 'pt';
  if (text.startsWith('PAR1')) return 'parquet';
  if (text.startsWith('ARROW1') || text.startsWith('\xff\xff\xff\xff')) return 'arrow';
  return undefined;
}
