import { InputError } from '@rarefy/core';
import { quoted } from '@rarefy/io';

/**
 * Of ids that are to stand one a line in a UTF-8 file: what cannot be told apart there is refused before the work, not after it.
 * @throws InputError naming the first id that is empty, or has a line break or half of a surrogate pair.
 */
export function checkLineIds(ids: readonly string[]): void {
  for (const id of ids) {
    const isPlain = id !== '' && !/[\r\n]|\p{Cs}/u.test(id);
    if (isPlain) continue;
    const problem = id === '' ? 'nothing' : /[\r\n]/.test(id) ? 'a line break' : 'half a character';
    throw new InputError(
      `the id ${quoted(id)} holds ${problem} and cannot stand on a line of its own; give the row another.`,
    );
  }
}
