import { createHash } from 'node:crypto';
import { type CallOptions, checkItemList, described, InputError, InvalidArgumentError, timeSlices } from '@rarefy/core';
import { quoted } from '@rarefy/io';

/** A row to embed, with the user's own key. */
export interface EmbedRow<Item = string> {
  readonly id: string;
  readonly item: Item;
}

/** Rows that can be read more than once: an array, or an object that starts a new iteration each time, unlike a generator. */
export type EmbedRows<Item> = Iterable<EmbedRow<Item>> | AsyncIterable<EmbedRow<Item>>;

export interface DataSurvey {
  readonly rows: number;
  /** SHA-256 of all ids and items, in order. */
  readonly sha256: string;
}

/** Items are equal if their texts are. */
export const itemText = (item: unknown): string => JSON.stringify(item);

/** Computes the SHA-256 of rows. */
export function rowsDigest() {
  const hash = createHash('sha256');
  return {
    add: (id: string, text: string) => {
      hash.update(`${JSON.stringify(id)} ${text}\n`);
    },
    hex: () => hash.digest('hex'),
  };
}

/** @throws InvalidArgumentError if the rows are not a list, or can be read only once. */
export function checkRereadable(rows: unknown, where: string): void {
  checkItemList(rows, where);
  if (!('next' in (rows as object))) return;
  throw new InvalidArgumentError(
    `${where} reads its rows twice, got an iterator, which can be read only once; collect its rows in an array`,
  );
}

/** @throws InvalidArgumentError if `row` is not an {@link EmbedRow}; the message shows the kinds of its fields. */
export function checkRow(row: unknown, position: number): void {
  const { id, item } = Object(row) as Readonly<Record<string, unknown>>;
  if (typeof id === 'string' && !['undefined', 'function', 'symbol', 'bigint'].includes(typeof item)) return;
  const fields = Object.entries(Object(row)).map(([name, value]) => `${quoted(name)}: ${described(value)}`);
  const seen = described(row) === 'an object' ? `{ ${fields.slice(0, 5).join(', ')} }` : described(row);
  throw new InvalidArgumentError(
    `row ${position} must be { id, item }: the id a string, the item what the embedder takes, got ${seen}`,
  );
}

/**
 * Reads all rows once.
 * @throws InvalidArgumentError for a row that is not `{ id, item }`; InputError if there are no rows, or two
 * with the same id; what `checkId` throws.
 */
export async function surveyRows<Item>(
  rows: EmbedRows<Item>,
  options: CallOptions,
  checkId?: (id: string) => void,
): Promise<DataSurvey> {
  const digest = rowsDigest();
  const ids = digestTable();
  let count = 0;
  for await (const row of withPauses(rows, options)) {
    checkRow(row, count);
    const { id, item } = row;
    checkId?.(id);
    const first = ids.firstOr(textDigest(JSON.stringify(id)), count);
    if (first !== undefined) {
      throw new InputError(
        `the data has the id ${quoted(id)} twice, in rows ${first} and ${count}; every row needs its own.`,
      );
    }
    digest.add(id, itemText(item));
    count++;
  }
  if (count === 0) throw new InputError('there are no rows to embed; check that it is the right data.');
  return { rows: count, sha256: digest.hex() };
}

/** The same rows, with pauses that let timers, input and aborts through. */
export async function* withPauses<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  { signal }: CallOptions,
): AsyncGenerator<Row, void, undefined> {
  const slices = timeSlices(signal);
  for await (const row of rows) {
    if (slices.due()) await slices.pause();
    signal?.throwIfAborted();
    yield row;
  }
}

/** The first 128 bits of a text's SHA-256, as four words. */
export type TextDigest = Uint32Array;

export function textDigest(text: string): TextDigest {
  const { buffer, byteOffset } = createHash('sha256').update(text).digest();
  return new Uint32Array(buffer.slice(byteOffset, byteOffset + 16));
}

/**
 * Maps digests of texts to the number that each text was first added with. Takes 40 to 80 bytes per text, several times less than
 * a Map.
 */
export interface DigestTable {
  /** The number of an equal digest; if there is none, adds this one and returns undefined. */
  firstOr(digest: TextDigest, value: number): number | undefined;
}

/** Open addressing with linear probing; doubles when half full. Values are integers in [0, 2^32 - 1). */
export function digestTable(): DigestTable {
  const empty = 2 ** 32 - 1;
  let capacity = 1024;
  let count = 0;
  let digests = new Uint32Array(4 * capacity);
  let values = new Uint32Array(capacity).fill(empty);

  /** Slot of a digest, or the empty slot where it belongs. */
  const slotOf = (word0: number, word1: number, word2: number, word3: number) => {
    let slot = word0 & (capacity - 1);
    for (; values[slot] !== empty; slot = (slot + 1) & (capacity - 1)) {
      const word = 4 * slot;
      if (
        digests[word] === word0 &&
        digests[word + 1] === word1 &&
        digests[word + 2] === word2 &&
        digests[word + 3] === word3
      ) {
        break;
      }
    }
    return slot;
  };
  const grow = () => {
    const [oldDigests, oldValues] = [digests, values];
    capacity *= 2;
    digests = new Uint32Array(4 * capacity);
    values = new Uint32Array(capacity).fill(empty);
    oldValues.forEach((value, old) => {
      if (value === empty) return;
      const [a, b, c, d] = oldDigests.subarray(4 * old, 4 * old + 4) as unknown as [number, number, number, number];
      const slot = slotOf(a, b, c, d);
      digests.set([a, b, c, d], 4 * slot);
      values[slot] = value;
    });
  };

  return {
    firstOr(digest, value) {
      const slot = slotOf(digest[0]!, digest[1]!, digest[2]!, digest[3]!);
      if (values[slot] !== empty) return values[slot];
      digests.set(digest, 4 * slot);
      values[slot] = value;
      if (++count > capacity / 2) grow();
      return undefined;
    },
  };
}
