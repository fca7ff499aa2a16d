import { extname } from 'node:path';
import ts from 'typescript';

/** Characters that a line with a comment may have. */
const limit = 132;

/**
 * Numbers of the lines, from 1, that have a comment and more than 132 characters. In TypeScript and JavaScript, `//` and `/*`
 * inside strings, templates and regular expressions are not comments. `.rs` counts `//`; any other file counts `#`.
 */
export function longCommentLines(path: string, text: string): number[] {
  const lines = text.split('\n');
  const long = lines.flatMap((line, index) => (line.length > limit ? [index] : []));
  if (long.length === 0) return [];
  const extension = extname(path);
  if (/^\.[cm]?[jt]s$/.test(extension)) {
    const isComment = commentLines(text);
    return long.filter((index) => isComment.has(index)).map((index) => index + 1);
  }
  const comment = extension === '.rs' ? /^\s*(\/\/|\/\*|\*)|\s\/\/ / : /^\s*#|\s# /;
  return long.filter((index) => comment.test(lines[index]!)).map((index) => index + 1);
}

/** Indexes of the lines that hold part of a comment. */
function commentLines(text: string): Set<number> {
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  const found = new Set<number>();
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(file);
    for (const child of children) visit(child);
    if (children.length > 0) return;
    // Comments lie between tokens: after the end of one, up to the start of the next.
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.pos) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.end) ?? []),
    ];
    for (const { pos, end } of ranges) {
      const first = file.getLineAndCharacterOfPosition(pos).line;
      const last = file.getLineAndCharacterOfPosition(end).line;
      for (let line = first; line <= last; line++) found.add(line);
    }
  };
  visit(file);
  return found;
}
