import { distance } from 'fastest-levenshtein';

/**
 * ` Did you mean NAME?` for the known name that is nearest to a misspelled one, or an empty string if none is near. Dashes at the
 * start and upper case do not count. A name that begins with the given one is near.
 */
export function didYouMean(given: string, known: Iterable<string>): string {
  const word = wordOf(given);
  const most = Math.min(Math.max(2, word.length / 3), word.length - 1); // 2: two swapped letters
  const near = [...known].flatMap((name) => {
    const edits = distance(word, wordOf(name));
    const isLonger = word.length > 1 && wordOf(name).startsWith(word);
    const longer = Math.abs(word.length - wordOf(name).length); // fewer first: letters are swapped more often than lost
    return edits <= most || isLonger ? [{ name, edits, longer }] : [];
  });
  const [nearest] = near.sort((a, b) => a.edits - b.edits || a.longer - b.longer);
  return nearest === undefined ? '' : ` Did you mean ${nearest.name}?`;
}

function wordOf(name: string): string {
  return name.replace(/^-+/, '').toLowerCase();
}
