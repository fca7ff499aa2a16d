import { InvalidArgumentError } from '@rarefy/core';
import { gzipSync } from 'fflate';

/**
 * Compression ratio: UTF-8 bytes of the texts, joined by spaces, / bytes after gzip at level 9. Larger is less diverse. It sees
 * repeated phrases of any length, and also spelling, punctuation and markup, which the metrics of words do not. NaN without texts
 * or if all are empty. The same bytes on every machine; other gzip programs differ by a percent or two.
 *
 * Trap: it rises with the amount of text, so compare equal amounts. Short inputs can stay below 1, because a gzip file has 18
 * bytes of its own. Repetitions more than 32 KB apart are not found. Order matters: texts that resemble each other compress
 * better side by side. The Python package `diversity` 0.3 compresses twice.
 *
 * Source: Shaib et al., "Standardizing the measurement of text diversity", arXiv 2403.00553.
 * @throws InvalidArgumentError if `texts` is not an array of strings.
 */
export function compressionRatio(texts: readonly string[]): number {
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string')) {
    throw new InvalidArgumentError('texts must be an array of strings');
  }
  const bytes = new TextEncoder().encode(texts.join(' '));
  return bytes.length === 0 ? Number.NaN : bytes.length / gzipSync(bytes, { level: 9, mtime: 0 }).length;
}
