import type { Column, EmbeddingView } from '@rarefy/core';
import { ensure, ensureEqual } from '../ensure.js';

/** Ids as data sets have them, different for every row and in no order. */
const idForms: readonly ((row: number) => string)[] = [
  (row) => `größe "${row}"`,
  (row) => ` row ${row} `,
  (row) => `e\u0301👩‍👩‍👧‍👦${row}`,
  (row) => `C:\\new\\${row}\\`,
  (row) => `it's, ${row}`,
];

/**
 * A view of these prompts with a layout in [-1, 1] and the columns `source`, `density` and `prompt`. Ids contain quotes,
 * backslashes and spaces at both ends.
 */
export function viewOf(prompts: readonly string[], dimensions: 2 | 3 = 3): EmbeddingView {
  const rows = prompts.length;
  const layout = Float32Array.from({ length: rows * dimensions }, (_, index) => Math.sin(1 + index * index * 0.7));
  return {
    ids: prompts.map((_, row) => idForms[row % idForms.length]!(row)),
    layout: { data: layout, rows, cols: dimensions },
    columns: {
      source: {
        type: 'category',
        codes: Uint32Array.from({ length: rows }, (_, row) => row % 2),
        labels: ['one', '<b>two</b>'],
      },
      density: { type: 'number', values: Float32Array.from({ length: rows }, (_, row) => (row % 5) / 4) },
      prompt: { type: 'text', values: [...prompts] },
    },
  };
}

/** Compares the parts of a view that `actual` has. @throws Error at the first difference. */
export function ensureSameView({ ids, layout, columns }: Partial<EmbeddingView>, expected: EmbeddingView): void {
  if (ids) ensureTexts(ids, expected.ids, 'ids');
  if (layout) {
    const { rows } = expected.layout;
    ensure(layout.rows === rows, `expected a layout of ${rows} points, got ${layout.rows}`);
    for (let row = 0; row < rows; row++) {
      for (let axis = 0; axis < layout.cols; axis++) {
        // A format for three dimensions may place a flat layout at z = 0.
        const wanted = axis < expected.layout.cols ? expected.layout.data[row * expected.layout.cols + axis]! : 0;
        const seen = Math.fround(layout.data[row * layout.cols + axis]!);
        ensure(seen === wanted, `expected point ${row} at ${wanted} on axis ${axis}, got ${seen}`);
      }
    }
  }
  for (const [name, column] of Object.entries(columns ?? {})) {
    const wanted = expected.columns[name];
    ensure(wanted !== undefined, `the files have a column ${name} that the view does not have`);
    ensureSameColumn(column, wanted, name);
  }
}

function ensureSameColumn(column: Column, wanted: Column, name: string): void {
  if (column.type === 'number' && wanted.type === 'number') ensureEqual(column.values, wanted.values, `column ${name}`);
  else if (column.type === 'text' && wanted.type === 'text')
    ensureTexts(column.values, wanted.values, `column ${name}`);
  else if (column.type === 'category' && wanted.type === 'category') {
    const labels = ({ codes, labels }: typeof wanted) => Array.from(codes, (code) => labels[code]!);
    ensureTexts(labels(column), labels(wanted), `column ${name}`);
  } else ensure(false, `expected column ${name} to be of type ${wanted.type}, got ${column.type}`);
}

/** Equal, or cut to 100 characters or more. Lone surrogates may be replaced, because UTF-8 cannot store them. */
function ensureTexts(actual: readonly string[], expected: readonly string[], what: string): void {
  ensure(actual.length === expected.length, `expected ${what} to have ${expected.length} texts, got ${actual.length}`);
  for (const [row, text] of actual.entries()) {
    const [seen, wanted] = [wellFormed(text), wellFormed(expected[row]!)];
    const same = seen === wanted || (seen.length >= 100 && wanted.startsWith(seen));
    ensure(same, `expected ${what} to be ${JSON.stringify(wanted)} at index ${row}, got ${JSON.stringify(text)}`);
  }
}

const wellFormed = (text: string) => new TextDecoder().decode(new TextEncoder().encode(text));
