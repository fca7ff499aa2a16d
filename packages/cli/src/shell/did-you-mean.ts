import { distance } from 'fastest-levenshtein';

/** ` Did you mean NAME?` for the known name that is nearest to a misspelled one, or an empty string if none is near. */
export function didYouMean(given: string, known: Iterable<string>): string {
  const edits = [...known].map((name) => ({ name, edits: distance(given, name) }));
  const [nearest] = edits.sort((a, b) => a.edits - b.edits);
  const isNear = nearest !== undefined && nearest.edits <= Math.max(2, given.length / 3); // 2: two swapped letters
  return isNear ? ` Did you mean ${nearest.name}?` : '';
}
