import { type CallOptions, callOptionNames, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { writeAtomically } from '../files/write-atomically.js';

const chunkCharacters = 2 ** 16;

/**
 * Writes one line of JSON per value. The file is written completely or not at all.
 * @returns the number of lines
 * @throws InvalidArgumentError that names the first value that JSON cannot represent; what {@link writeAtomically} throws.
 */
export async function writeJsonl(
  path: string,
  values: Iterable<unknown> | AsyncIterable<unknown>,
  options: CallOptions = {},
): Promise<number> {
  checkOptions(options, callOptionNames, 'writeJsonl');
  let count = 0;
  async function* lines(): AsyncGenerator<Uint8Array> {
    let text = '';
    for await (const value of values) {
      text += `${toJson(value, count)}\n`;
      count++;
      if (text.length < chunkCharacters) continue;
      yield Buffer.from(text);
      text = '';
    }
    yield Buffer.from(text);
  }
  await writeAtomically(path, lines(), options);
  return count;
}

function toJson(value: unknown, position: number): string {
  let json: string | undefined;
  let cause: unknown;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (json !== undefined) return json;
  throw new InvalidArgumentError(`value ${position} (${typeof value}) cannot be written as JSON; give plain data`, {
    cause,
  });
}
