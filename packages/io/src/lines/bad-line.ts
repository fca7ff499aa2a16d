import { InputError } from '@rarefy/core';
import { quoted } from '../text/quoted.js';

/** Why a line was refused. */
export type BadLineReason =
  | 'too-long'
  | 'not-utf8'
  | 'too-complex'
  | 'not-json'
  | 'not-an-object'
  | 'bad-id'
  | 'bad-source'
  | 'bad-count'
  | 'no-prompt'
  | 'no-answer';

/** Thrown while one line is read; the reader adds the place, or counts the line as skipped. */
export class BadLine extends InputError {
  constructor(
    readonly reason: BadLineReason,
    message: string,
  ) {
    super(message);
  }
}

/** A value in a few words, safe to print: prompts come from strangers. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return String(value);
  if (value === '') return 'empty';
  if (value.trim() === '') return 'blank';
  return quoted(value);
}
