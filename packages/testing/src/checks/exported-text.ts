import { ensure } from '../ensure.js';

/** Prompts that do harm if a reader interprets them as more than text. */
export const hostilePrompts = [
  '</script><img src=x onerror="globalThis.executed=1">',
  '<!--<script>globalThis.executed=1</script>',
  '"><svg onload=globalThis.executed=1>',
  '=HYPERLINK("https://example.org","click")',
  '@SUM(1+1)',
  'one\tcell\tof\ttabs',
  'a "quoted", text\r\nin two lines',
  'ends the string\u2028 and the line',
  'half a pair \ud83d',
  "'; DROP TABLE prompts; --",
];

/** By media type: checks that hostile prompts stay text in a file of that type. @throws Error that quotes the unsafe part. */
export const textInspections: Readonly<Record<string, (text: string, points: number) => void>> = {
  'text/html'(text) {
    for (const tag of ['<img src=x', '<svg onload', '<!--<script>']) {
      ensure(!text.toLowerCase().includes(tag), `a prompt became markup: ${tag}`);
    }
  },
  'application/json'(text) {
    JSON.parse(text);
  },
  'text/csv'(text, points) {
    const rows = csvRows(text);
    ensure(rows.length === points + 1, `expected a header and ${points} rows of CSV, got ${rows.length} rows in all`);
    for (const [index, row] of rows.entries()) {
      ensure(row.length === rows[0]!.length, `row ${index} has ${row.length} cells, but the header ${rows[0]!.length}`);
      const formula = row.find((cell) => /^[=@]/.test(cell) || /^[+-](?![\d.])/.test(cell));
      ensure(formula === undefined, `a spreadsheet would evaluate the cell ${formula}`);
    }
  },
  'text/tab-separated-values'(text, points) {
    const rows = text.replace(/\n$/, '').split('\n');
    ensure(
      rows.length === points || rows.length === points + 1,
      `expected ${points} lines, with or without a header, got ${rows.length}`,
    );
    const tabs = (row: string) => row.split('\t').length;
    const uneven = rows.find((row) => tabs(row) !== tabs(rows[0]!) || row.includes('\r'));
    ensure(uneven === undefined, `a line has a different number of cells than the first: ${uneven}`);
  },
};

/** Cells by RFC 4180: quoted cells may contain commas, line breaks and doubled quotes. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1)!.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === '') break;
    if (end !== ',') rows.push([]);
  }
  const last = rows.at(-1)!;
  if (last.length === 1 && last[0] === '') rows.pop(); // the file ends with a line break
  return rows;
}
