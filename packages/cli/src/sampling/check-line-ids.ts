import { InputError } from '@rarefy/core';

/**
 * Of ids that are to stand one a line in a UTF-8 file: what cannot be told apart there is refused before the work, not after it.
 * @throws InputError naming the first id with a line break or half of a surrogate pair.
 */
export function checkLineIds(ids: readonly string[]): void {
  for (const id of ids) {
    const problem = /[\r\n]/.test(id) ? 'a line break' : /\p{Cs}/u.test(id) ? 'half a character' : undefined;
    if (problem === undefined) continue;
    const shown = JSON.stringify(id).replace(/\p{C}/gu, '?');
    throw new InputError(
      `the id ${shown} holds ${problem} and cannot stand on a line of its own; give the row another.`,
    );
  }
}
