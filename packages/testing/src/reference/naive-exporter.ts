import { type EmbeddingView, type Exporter, InvalidArgumentError, ShapeError } from '@rarefy/core';

type Row = readonly string[];
const header: Row = ['id', 'prompt', 'x', 'y', 'z'];
const lines = (rows: readonly Row[], line: (row: Row) => string) => rows.map((row) => `${line(row)}\n`).join('');
const plainCell = (text: string) => text.replace(/[\t\r\n]/g, ' ');
const csvCell = (text: string) => `"${text.replace(/^(?=[=@+-])(?![+-]?[\d.])/, "'").replaceAll('"', '""')}"`;
const tableRow = (row: Row) => `<tr>${row.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`;
const escaped = (text: string) => text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Formats of {@link naiveExporter}: one file each, with ids, prompts and layout. */
export const naiveFormats = {
  json: { mediaType: 'application/json', write: (rows: Row[]) => JSON.stringify(rows) },
  csv: {
    mediaType: 'text/csv',
    write: (rows: Row[]) => lines([header, ...rows], (row) => row.map(csvCell).join(',')),
  },
  tsv: {
    mediaType: 'text/tab-separated-values',
    write: (rows: Row[]) => lines([header, ...rows], (row) => row.map(plainCell).join('\t')),
  },
  html: {
    mediaType: 'text/html',
    write: (rows: Row[]) => `<!doctype html><table>${rows.map(tableRow).join('')}</table>`,
  },
} as const;

/** Writes a view as one small file and escapes every text for its format. */
export function naiveExporter(format: keyof typeof naiveFormats, { maxPoints = 1_000 } = {}): Exporter {
  const { mediaType, write } = naiveFormats[format];
  return {
    specificationVersion: 'v1',
    kind: 'exporter',
    fingerprint: `naive-exporter:format=${format}`,
    capabilities: { mediaType, extension: `.${format}`, maxPoints },
    async *export(view, { signal } = {}) {
      signal?.throwIfAborted();
      const text = write(rowsOf(view, maxPoints));
      yield { path: `view.${format}`, bytes: new TextEncoder().encode(text) };
    },
  };
}

function rowsOf({ ids, layout, columns }: EmbeddingView, maxPoints: number): Row[] {
  if (ids.length > maxPoints) {
    throw new InvalidArgumentError(`the view has ${ids.length} points, but this exporter shows at most ${maxPoints}`);
  }
  if (layout.rows !== ids.length) throw new ShapeError(`the layout has ${layout.rows} rows for ${ids.length} ids`);
  for (const [name, column] of Object.entries(columns)) {
    const { length } = column.type === 'category' ? column.codes : column.values;
    if (length !== ids.length) throw new ShapeError(`column ${name} has ${length} values for ${ids.length} ids`);
  }
  const { prompt } = columns;
  return ids.map((id, row) => [
    id,
    prompt?.type === 'text' ? prompt.values[row]! : '',
    ...[0, 1, 2].map((axis) => String(axis < layout.cols ? layout.data[row * layout.cols + axis] : 0)),
  ]);
}
