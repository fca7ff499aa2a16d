import { type Column, type Exporter, InvalidArgumentError, ShapeError } from '@rarefy/core';

const maxPoints = 1_000_000;

/** Writes `view.csv`: one line per point, with its id, its coordinates and all columns of the view. */
export function csvExporter(): Exporter {
  return {
    specificationVersion: 'v1',
    kind: 'exporter',
    fingerprint: 'csv',
    capabilities: { mediaType: 'text/csv', extension: '.csv', maxPoints },
    async *export({ ids, layout, columns }, { signal } = {}) {
      signal?.throwIfAborted();
      if (ids.length > maxPoints) throw new InvalidArgumentError(`${ids.length} points, but at most ${maxPoints} fit`);
      if (layout.rows !== ids.length) throw new ShapeError(`${layout.rows} rows in the layout, but ${ids.length} ids`);
      const axes = ['x', 'y', 'z'].slice(0, layout.cols);
      const cells = Object.entries(columns).map(([name, column]) => {
        const values = valuesOf(column);
        if (values.length !== ids.length) throw new ShapeError(`${values.length} values in ${name}, not ${ids.length}`);
        return values;
      });
      const rows = ids.map((id, row) => [
        id,
        ...axes.map((_, axis) => layout.data[row * layout.cols + axis]!),
        ...cells.map((values) => values[row]!),
      ]);
      const lines = [['id', ...axes, ...Object.keys(columns)], ...rows].map((line) => `${line.map(cell).join(',')}\n`);
      yield { path: 'view.csv', bytes: new TextEncoder().encode(lines.join('')) };
    },
  };
}

function valuesOf(column: Column): readonly (string | number)[] {
  if (column.type === 'category') return Array.from(column.codes, (code) => column.labels[code]!);
  return column.type === 'text' ? column.values : [...column.values];
}

/** Quotes texts, and puts an apostrophe before those that a spreadsheet would evaluate: prompts come from strangers. */
function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  return `"${(/^[=@+-]/.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`;
}
