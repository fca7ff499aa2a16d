/** Removes control characters and line breaks: a message can quote a file or a server, and those could steer the terminal. */
export function printable(message: string): string {
  return message.replace(/\p{Cc}+/gu, ' ').trim();
}

/** Lines of at most `width` characters, broken at spaces. A longer word stays whole. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Aligns rows of cells in columns, two spaces apart; numbers are aligned to the right. The first row is the header. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0;
  const layout = Array.from({ length: columns }, (_, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    const body = cells.slice(1);
    return {
      width: Math.max(...cells.map((cell) => cell.length)),
      isNumeric: body.length > 0 && body.every((cell) => /^-?[\d.,]+(e[+-]\d+)?( ?%)?$/.test(cell)),
    };
  });
  return rows
    .map((row) =>
      layout
        .map(({ width, isNumeric }, column) => {
          const cell = row[column] ?? '';
          return isNumeric ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A share of 1 as a percentage with one decimal. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A call of `rarefy` as a shell takes it. */
export function commandLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ['rarefy', ...quoted].join(' ');
}
