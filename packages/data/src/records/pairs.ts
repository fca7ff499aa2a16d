import { checkOptions } from '@rarefy/core';
import { BadLine, type JsonlOptions, jsonlOptionNames } from '@rarefy/io';
import { type Fields, readRecords, toAnswer, toId, toMargin, toPrompt, toSource, toTopic } from './fields.js';
import {
  areMessages,
  exchangeIn,
  lastMessage,
  messagesIn,
  promptAndAnswer,
  promptOf,
  transcriptTurns,
} from './transcript.js';

/** A prompt with a better and a worse answer. */
export interface Pair {
  /** The user's own key. */
  readonly id: string;
  /** Data set that it comes from. */
  readonly src: string;
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  readonly topic?: string;
  /** By how much the chosen answer is better, for the loss of a reward model; finite, default 0. */
  readonly margin?: number;
}

/** Converts a row to a pair without id and source. @throws BadLine if the row is not a pair. */
export type ToPair = (row: Fields) => Pick<Pair, 'prompt' | 'chosen' | 'rejected' | 'topic'>;

/** Column names of a data set. */
export interface ColumnMap {
  /** Default `prompt`. If rows have no such column, chosen and rejected must be transcripts that begin with the prompt. */
  readonly prompt?: string | undefined;
  /** Default `chosen`: a string, a transcript, or a list of `{ role, content }`. */
  readonly chosen?: string | undefined;
  /** Default `rejected`. */
  readonly rejected?: string | undefined;
}

/**
 * Preference pairs of a JSON Lines file, in order. A missing id becomes `line-<number>`, an integer id a string, a missing src
 * `unknown`; other fields are dropped. Without a prompt, chosen and rejected must be transcripts of Human and Assistant turns
 * that begin with the same prompt. A line without a prompt or one of the answers, or with a margin that is not a finite number, is
 * a bad line. Ids are kept unchanged and are not compared between lines, which would keep them all in memory; uniquePrompts,
 * downloadPairs and embedToFile reject an id with two rows.
 * @throws what readJsonl throws; InputError if the file has no pairs.
 */
export function readPairs(source: string, options: JsonlOptions = {}): AsyncGenerator<Pair, void, undefined> {
  checkOptions(options, jsonlOptionNames, 'readPairs');
  const toPair = mappedPair({});
  const toRecord = (fields: Fields, line: number) => ({
    id: toId(fields, line),
    src: toSource(fields),
    ...toPair(fields),
    ...toTopic(fields),
    ...toMargin(fields),
  });
  return readRecords(source, 'pairs', toRecord, options);
}

/** Names of {@link ColumnMap}. */
export const columnNames = ['prompt', 'chosen', 'rejected'] satisfies (keyof ColumnMap)[];

/** Converts rows by their column names. */
export function mappedPair({ prompt = 'prompt', chosen = 'chosen', rejected = 'rejected' }: ColumnMap): ToPair {
  return (row) => {
    if (row[prompt] !== undefined || !beginsWithPrompt(row[chosen])) {
      const text = areMessages(row[prompt]) ? promptOf(messagesIn(row, prompt)) : toPrompt({ prompt: row[prompt] });
      return { prompt: text, chosen: answerIn(row, chosen), rejected: answerIn(row, rejected) };
    }
    return pairOfExchanges(row, chosen, rejected);
  };
}

/** The pair of two exchanges with the same prompt. @throws BadLine if the prompts differ. */
export function pairOfExchanges(row: Fields, chosen: string, rejected: string): ReturnType<ToPair> {
  const [better, worse] = [exchangeIn(row, chosen), exchangeIn(row, rejected)];
  if (better.prompt !== worse.prompt)
    throw new BadLine('no-answer', `${chosen} and ${rejected} answer different prompts`);
  return { prompt: better.prompt, chosen: better.answer, rejected: worse.answer };
}

function beginsWithPrompt(value: unknown): boolean {
  return areMessages(value) || (typeof value === 'string' && transcriptTurns(value) !== undefined);
}

function answerIn(row: Fields, name: string): string {
  if (Array.isArray(row[name])) return lastMessage(row, name);
  const text = toAnswer(row, name);
  return promptAndAnswer(text)?.answer ?? text;
}
