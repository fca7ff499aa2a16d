import { InputError } from '@rarefy/core';
import { type JsonlOptions, readLines, sourceName } from '@rarefy/io';
import { type Fields, toFields } from './record-fields.js';

/** The records of a JSON Lines file. Having none is an error: every use of records needs one. */
export async function* readRecords<Value>(
  source: string,
  kind: string,
  toRecord: (fields: Fields, line: number) => Value,
  options: JsonlOptions = {},
): AsyncGenerator<Value, void, undefined> {
  let records = 0;
  for await (const { value } of readLines(source, (value, line) => toRecord(toFields(value), line), options)) {
    records++;
    yield value;
  }
  if (records === 0) {
    const why = options.onBadLine === 'skip' ? 'it is empty, or every line of it was skipped' : 'it is empty';
    throw new InputError(`${sourceName(source)} holds no ${kind}: ${why}. Check that it is the right file.`);
  }
}
