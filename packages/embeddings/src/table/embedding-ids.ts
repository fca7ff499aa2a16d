import { CorruptFileError, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { quoted } from '@rarefy/io';

/** Ids as a file holds them: texts, or integers written in decimal. */
export interface EmbeddingIds {
  /** One a row, all different. */
  readonly ids: readonly string[];
  /** The file holds them as integers. */
  readonly integerIds: boolean;
}

const integer = /^(0|-?[1-9]\d{0,18})$/;

/** Ids of parsed JSON, a pickle or a column. @throws CorruptFileError naming the first that is neither text nor a safe integer. */
export function toIds(values: readonly unknown[], name: string): EmbeddingIds {
  const ids: string[] = [];
  let integers = 0;
  for (const [row, value] of values.entries()) {
    const isInteger = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
    if (!isInteger && typeof value !== 'string') {
      const seen =
        typeof value === 'number' ? `the number ${value}` : value === null ? 'null' : `of type ${typeof value}`;
      throw new CorruptFileError(
        `${name}: the id of row ${row} is ${seen}; an id is a text or a whole number below 2^53. Write it as a text.`,
      );
    }
    if (isInteger) integers++;
    ids.push(typeof value === 'string' ? value : String(value));
  }
  return { ids, integerIds: integers > 0 && integers === ids.length };
}

/** @throws CorruptFileError unless there is one id a row, and no id twice; the message gives both rows. */
export function checkStoredIds(ids: readonly string[], rows: number, name: string): void {
  if (ids.length !== rows) throw new CorruptFileError(`${name} has ${ids.length} ids for ${rows} rows of embeddings`);
  const repeated = firstRepeated(ids);
  if (repeated) throw new CorruptFileError(`${name} has ${repeated}; give every row an id of its own.`);
}

/** The same for what is about to be written. @throws ShapeError, InvalidArgumentError */
export function checkIds({ ids, integerIds }: EmbeddingIds, rows: number): void {
  if (ids.length !== rows) throw new ShapeError(`there are ${ids.length} ids for ${rows} rows of embeddings`);
  const repeated = firstRepeated(ids);
  if (repeated) throw new InvalidArgumentError(`there is ${repeated}; give every row an id of its own`);
  const odd = integerIds
    ? ids.findIndex((id) => !integer.test(id) || BigInt.asIntN(64, BigInt(id)) !== BigInt(id))
    : -1;
  if (odd >= 0) {
    throw new InvalidArgumentError(`the id ${quoted(ids[odd]!)} (row ${odd}) is no integer of 64 bits`);
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
