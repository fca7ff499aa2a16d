/** The first `count` characters (code points); never cuts a surrogate pair in half. */
export function firstCharacters(text: string, count: number): string {
  let end = 0;
  let left = count;
  for (const character of text) {
    if (left-- === 0) break;
    end += character.length;
  }
  return text.slice(0, end);
}
