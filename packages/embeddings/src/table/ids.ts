import { CorruptFileError, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { quoted } from '@rarefy/io';

/** Ids of embeddings: strings, or integers in decimal. */
export interface EmbeddingIds {
  /** One per row, all different. */
  readonly ids: readonly string[];
  /** Whether the file stores them as integers. */
  readonly integerIds: boolean;
}

const integer = /^(0|-?[1-9]\d{0,18})$/;

/** Ids from untrusted values. @throws CorruptFileError that names the first one that is neither a string nor a safe integer. */
export function toIds(values: readonly unknown[], name: string): EmbeddingIds {
  const ids: string[] = [];
  let integers = 0;
  for (const [row, value] of values.entries()) {
    const isInteger = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
    if (!isInteger && typeof value !== 'string') {
      const seen =
        typeof value === 'number' ? `the number ${value}` : value === null ? 'null' : `of type ${typeof value}`;
      throw new CorruptFileError(
        `${name}: the id of row ${row} is ${seen}; expected a string or an integer below 2^53. Write it as a string.`,
      );
    }
    if (isInteger) integers++;
    ids.push(typeof value === 'string' ? value : String(value));
  }
  return { ids, integerIds: integers > 0 && integers === ids.length };
}

/** @throws CorruptFileError unless there is one id per row and all are different; the message names both rows of a repeated id. */
export function checkStoredIds(ids: readonly string[], rows: number, name: string): void {
  if (ids.length !== rows) throw new CorruptFileError(`${name} has ${ids.length} ids for ${rows} rows of embeddings`);
  const repeated = firstRepeated(ids);
  if (repeated) throw new CorruptFileError(`${name} has ${repeated}; every row needs its own id.`);
}

/**
 * Checks ids before they are written.
 * @throws ShapeError if their number differs from `rows`; InvalidArgumentError for a repeated id, or one that is not an integer.
 */
export function checkIds({ ids, integerIds }: EmbeddingIds, rows: number): void {
  if (ids.length !== rows) throw new ShapeError(`there are ${ids.length} ids for ${rows} rows of embeddings`);
  const repeated = firstRepeated(ids);
  if (repeated) throw new InvalidArgumentError(`there is ${repeated}; every row needs its own id`);
  const odd = integerIds
    ? ids.findIndex((id) => !integer.test(id) || BigInt.asIntN(64, BigInt(id)) !== BigInt(id))
    : -1;
  if (odd >= 0) {
    throw new InvalidArgumentError(`the id ${quoted(ids[odd]!)} (row ${odd}) is not a 64-bit integer`);
  }
}

function firstRepeated(ids: readonly string[]): string | undefined {
  if (new Set(ids).size === ids.length) return undefined;
  const rowOf = new Map<string, number>();
  for (const [row, id] of ids.entries()) {
    const first = rowOf.get(id);
    if (first !== undefined) return `the id ${quoted(id)} twice, in rows ${first} and ${row}`;
    rowOf.set(id, row);
  }
  return undefined;
}

/** @throws InvalidArgumentError for a string with a lone surrogate, which UTF-8 cannot represent; JSON escapes it. */
export function checkText(value: string): void {
  if (/[\ud800-\udfff]/.test(value) && Buffer.from(value).toString() !== value) {
    throw new InvalidArgumentError(
      `${quoted(value)} contains a lone surrogate, which UTF-8 cannot represent; write .safetensors or .npy`,
    );
  }
}

/** Content of an ids file. */
export interface IdsFile extends EmbeddingIds {
  readonly metadata: Readonly<Record<string, string>>;
}

/** Ids as a JSON array: numbers if they are integers and all below 2^53, otherwise strings. */
export function encodeIds({ ids, integerIds }: EmbeddingIds): string {
  return integerIds && ids.every((id) => Number.isSafeInteger(Number(id))) ? `[${ids.join(',')}]` : JSON.stringify(ids);
}

/**
 * Parses untrusted JSON: an array of strings and integers, or `{"ids": [...], "metadata": {...}}` with strings as metadata.
 * @throws CorruptFileError that says what is wrong.
 */
export function parseIds(bytes: Uint8Array, name: string): IdsFile {
  const corrupt = (what: string, cause?: unknown) =>
    new CorruptFileError(`the ids of ${name} are not valid: ${what}. Write the file again.`, { cause });
  let json: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (nestsDeeper(text, 2)) throw new SyntaxError('it is nested too deep');
    json = JSON.parse(text);
  } catch (cause) {
    throw corrupt('they are not JSON in UTF-8', cause);
  }
  if (Array.isArray(json)) return { ...toIds(json, name), metadata: {} };
  const { ids, metadata = {}, ...others } = (json ?? {}) as Record<string, unknown>;
  if (!Array.isArray(ids) || Object.keys(others).length > 0) {
    throw corrupt('they are neither a JSON array nor {"ids": [...], "metadata": {...}}');
  }
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw corrupt('metadata is not an object');
  if (!Object.values(metadata).every((value) => typeof value === 'string'))
    throw corrupt('metadata values must be strings');
  return { ...toIds(ids, name), metadata: metadata as Record<string, string> };
}

/** Whether JSON is nested deeper than `limit`. Checked before JSON.parse allocates an array per bracket. */
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
