import type { JsonlOptions } from '@rarefy/io';
import { mappedPair } from './pair-sets.js';
import { readRecords } from './read-records.js';
import { toId, toSource, toTopic } from './record-fields.js';

/** A prompt with a better and a worse answer: one human or automatic preference. */
export interface Pair {
  /** The user's own key. */
  readonly id: string;
  /** Data set or part that it comes from. */
  readonly src: string;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  readonly topic?: string;
}

const readPair = mappedPair({});

/**
 * Preference pairs of a JSON Lines file, in order. A missing id becomes `line-<number>`, an integer id a string, a missing src
 * `unknown`; other fields are dropped. Where there is no prompt, chosen and rejected are transcripts of Human and Assistant turns that begin with
 * it. A line without a prompt or one of the answers is a bad line. Ids are kept character by character and not compared between
 * lines, which would hold them all: uniquePrompts, downloadPairs and embedToFile refuse an id that stands for two rows.
 * @throws what readJsonl throws; InputError when the file holds no pairs.
 */
export function readPairs(source: string, options: JsonlOptions = {}): AsyncGenerator<Pair, void, undefined> {
  return readRecords(
    source,
    'pairs',
    (fields, line) => ({
      id: toId(fields, line),
      src: toSource(fields),
      ...readPair(fields),
      ...toTopic(fields),
    }),
    options,
  );
}
