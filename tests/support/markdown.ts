/** A fenced block of a Markdown document. */
export interface CodeBlock {
  readonly path: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  /** Words after the language. */
  readonly flags: readonly string[];
  /** The file that the block includes, from a comment on the line before: `<!-- include FILE -->`. */
  readonly include?: string;
  /** Ends with a line feed. */
  readonly code: string;
}

/** Every fenced block of the document, in order. @throws Error if a block is not closed. */
export function codeBlocks(path: string, text: string): CodeBlock[] {
  const lines = text.split('\n');
  const blocks: CodeBlock[] = [];
  for (let start = 0; start < lines.length; start++) {
    const fence = /^```(\S*) *(.*)$/.exec(lines[start]!);
    if (!fence) continue;
    const end = lines.indexOf('```', start + 1);
    if (end < 0) throw new Error(`${path}, line ${start + 1}: the block has no end`);
    const include = /^<!-- include (\S+) -->$/.exec(lines[start - 1] ?? '')?.[1];
    const code = lines.slice(start + 1, end).map((line) => `${line}\n`);
    blocks.push({
      path,
      line: start + 1,
      language: fence[1]!,
      flags: fence[2]!.split(' '),
      ...(include === undefined ? {} : { include }),
      code: code.join(''),
    });
    start = end;
  }
  return blocks;
}

/** Targets of `[text](target)` outside code, with their line numbers, from 1. */
export function links(text: string): { target: string; line: number }[] {
  return proseLines(text).flatMap((prose, index) =>
    [...prose.replace(/`[^`]*`/g, '``').matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({
      target: match[1]!,
      line: index + 1,
    })),
  );
}

/** Anchors of the headings, in GitHub's format. */
export function headingAnchors(text: string): string[] {
  return proseLines(text)
    .filter((line) => /^#+ /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
}

/** The lines of a document; lines of fenced blocks are empty. */
function proseLines(text: string): string[] {
  let isCode = false;
  return text.split('\n').map((line) => {
    const isFence = line.startsWith('```');
    if (isFence) isCode = !isCode;
    return isFence || isCode ? '' : line;
  });
}
