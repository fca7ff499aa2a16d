import { type JsonlLine, type JsonlOptions, readLines } from './read-lines.js';

/**
 * The values of a JSON Lines file, gzip or plain, or of standard input for `-`, one at a time and in bounded memory.
 *
 * Lines end at a line feed; a carriage return before it, a byte order mark at the start and blank lines are passed over. Each
 * line must be valid UTF-8, nest at most 1,000 deep and have at most 262,144 keys and values. Of equal keys in one object the last
 * counts; `__proto__` is a key like any other. Nothing is normalised: a lone surrogate written as an escape is kept, and
 * writeJsonl writes it as an escape again. An empty file gives no values.
 * @throws InputError naming file, line and byte of a bad line, or saying why the file cannot be read; the signal's reason on abort.
 */
export function readJsonl(source: string, options: JsonlOptions = {}): AsyncGenerator<JsonlLine, void, undefined> {
  return readLines(source, (value) => value, options);
}
