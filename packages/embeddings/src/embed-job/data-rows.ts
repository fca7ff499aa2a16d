import { createHash } from 'node:crypto';
import { type CallOptions, InputError, timeSlices } from '@rarefy/core';
import { quoted } from '@rarefy/io';
import { digestTable, textDigest } from './digest-table.js';

/** A row to embed, with the user's own key. */
export interface EmbedRow<Item = string> {
  readonly id: string;
  readonly item: Item;
}

/** Rows that are read more than once: an array, or an object whose iterator begins anew each time; no generator. */
export type EmbedRows<Item> = Iterable<EmbedRow<Item>> | AsyncIterable<EmbedRow<Item>>;

export interface DataSurvey {
  readonly rows: number;
  /** SHA-256 of all ids and items, in order. */
  readonly sha256: string;
}

/** A text that differs whenever the item does. */
export const itemText = (item: unknown): string => JSON.stringify(item);

/** Collects the digest of rows. */
export function rowsDigest() {
  const hash = createHash('sha256');
  return {
    add: (id: string, text: string) => {
      hash.update(`${JSON.stringify(id)} ${text}\n`);
    },
    hex: () => hash.digest('hex'),
  };
}

/** Reads all rows once. @throws InputError for no rows, and for an id that stands for two; what `checkId` throws. */
export async function surveyRows<Item>(
  rows: EmbedRows<Item>,
  options: CallOptions,
  checkId?: (id: string) => void,
): Promise<DataSurvey> {
  const digest = rowsDigest();
  const ids = digestTable();
  let count = 0;
  for await (const { id, item } of calmly(rows, options)) {
    checkId?.(id);
    const first = ids.firstOr(textDigest(JSON.stringify(id)), count);
    if (first !== undefined) {
      throw new InputError(
        `the data has the id ${quoted(id)} twice, in rows ${first} and ${count}; give every row its own.`,
      );
    }
    digest.add(id, itemText(item));
    count++;
  }
  if (count === 0) throw new InputError('there are no rows to embed; check that it is the right data.');
  return { rows: count, sha256: digest.hex() };
}

/** Rows, with a pause for timers, input and aborts now and then. */
export async function* calmly<Row>(
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
