import { InputError } from '@rarefy/core';
import { quoted } from '../messages.js';

/**
 * Checks, before any work is done, that every id can be written on its own line of a UTF-8 file.
 * @throws InputError naming the first id that is empty or contains a line break or half of a surrogate pair.
 */
export function checkLineIds(ids: readonly string[]): void {
  for (const id of ids) {
    const isPlain = id !== '' && !/[\r\n]|\p{Cs}/u.test(id);
    if (isPlain) continue;
    const problem = id === '' ? 'is empty' : /[\r\n]/.test(id) ? 'contains a line break' : 'contains half a character';
    throw new InputError(`the id ${quoted(id)} ${problem} and cannot be written on a line of its own; change it.`);
  }
}
