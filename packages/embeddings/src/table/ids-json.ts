import { CorruptFileError } from '@rarefy/core';
import { type EmbeddingIds, toIds } from './embedding-ids.js';

/** Ids with what else an ids file notes. */
export interface IdsFile extends EmbeddingIds {
  readonly metadata: Readonly<Record<string, string>>;
}

/** Ids as a JSON array: numbers for integers when all of them are below 2^53, else texts. */
export function encodeIds({ ids, integerIds }: EmbeddingIds): string {
  return integerIds && ids.every((id) => Number.isSafeInteger(Number(id))) ? `[${ids.join(',')}]` : JSON.stringify(ids);
}

/**
 * Ids from JSON in UTF-8: an array of texts and integers, or `{"ids": [...], "metadata": {...}}` with texts for metadata.
 * @throws CorruptFileError naming what is wrong.
 */
export function parseIds(bytes: Uint8Array, name: string): IdsFile {
  const corrupt = (what: string, cause?: unknown) =>
    new CorruptFileError(`the ids of ${name} are unusable: ${what}. Write the file again.`, { cause });
  let json: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (nestsDeeper(text, 2)) throw new SyntaxError('it nests deeper than ids do');
    json = JSON.parse(text);
  } catch (cause) {
    throw corrupt('they are no JSON in UTF-8', cause);
  }
  if (Array.isArray(json)) return { ...toIds(json, name), metadata: {} };
  const { ids, metadata = {}, ...others } = (json ?? {}) as Record<string, unknown>;
  if (!Array.isArray(ids) || Object.keys(others).length > 0) {
    throw corrupt('they are no JSON array, and no {"ids": [...], "metadata": {...}}');
  }
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw corrupt('metadata is no object');
  if (!Object.values(metadata).every((value) => typeof value === 'string')) throw corrupt('metadata must be texts');
  return { ...toIds(ids, name), metadata: metadata as Record<string, string> };
}

/** Looks at brackets outside of texts alone, before JSON.parse builds an array for each. */
function nestsDeeper(json: string, limit: number): boolean {
  let depth = 0;
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code === 0x22) {
      for (index++; index < json.length && json.charCodeAt(index) !== 0x22; index++) {
        if (json.charCodeAt(index) === 0x5c) index++;
      }
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > limit) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}
