import type { SpecialToken, Tokenizer } from './tokenizer.js';

/** Text between special tokens, or a special token. */
export type Part = string | SpecialToken;

/**
 * Splits a text at the names of special tokens: the leftmost, then the longest name wins. A token that strips white space takes
 * it from the text beside it, as in Hugging Face's tokenizers. Empty texts are left out.
 */
export function splitAtSpecialTokens(text: string, tokens: ReadonlyMap<string, SpecialToken>): Part[] {
  if (tokens.size === 0) return text === '' ? [] : [text];
  const longestFirst = [...tokens.keys()].sort((a, b) => b.length - a.length);
  const names = new RegExp(longestFirst.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  const parts: Part[] = [];
  let start = 0;
  let before: SpecialToken | undefined;
  const addText = (end: number, after: SpecialToken | undefined) => {
    let between = text.slice(start, end);
    if (before?.stripsRight) between = between.trimStart();
    if (after?.stripsLeft) between = between.trimEnd();
    if (between !== '') parts.push(between);
  };
  for (const found of text.matchAll(names)) {
    const token = tokens.get(found[0])!;
    addText(found.index, token);
    parts.push(token);
    start = found.index + found[0].length;
    before = token;
  }
  addText(text.length, undefined);
  return parts;
}

/** The ids of parts. A text after another part continues it, so that no mark of a beginning is put before it. */
export function encodeParts(tokenizer: Tokenizer, parts: readonly Part[]): Int32Array {
  return joined(
    parts.map((part, index) =>
      typeof part === 'string' ? tokenizer.encode(part, { isContinued: index > 0 }) : Int32Array.of(part.id),
    ),
  );
}

/** All rows in one. */
export function joined(rows: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const row of rows) {
    all.set(row, start);
    start += row.length;
  }
  return all;
}

/** Number of first ids that two rows share. */
export function sharedStart(a: Int32Array, b: Int32Array): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length++;
  return length;
}
