/**
 * Makes every character of a text visible: controls, direction marks and lone surrogates, which can make a text read as another
 * one, become `\u{…}`. Letters of any script, emoji, tabs and line feeds are unchanged.
 */
export function visibleText(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression searches for control characters
    /(?![\t\n])[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\p{Cs}]|[\u{e0000}-\u{e007f}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
