import type { EmbeddingView, Exporter } from '@rarefy/core';
import { hostilePrompts } from '../src/checks/exported-text.js';
import { naiveExporter, type naiveFormats } from '../src/reference/naive-exporter.js';
import type { ExportedFiles, ExporterSubject } from '../src/subjects.js';
import { altered, identityMutants, type Mutant, returning, turn } from './mutant.js';

type Format = keyof typeof naiveFormats;
type File = { readonly path: string; readonly bytes: Uint8Array };

/** Reads the file of `naiveExporter('json')`. */
export function readJson(files: ExportedFiles): Partial<EmbeddingView> {
  const [bytes] = files.values();
  const rows = JSON.parse(new TextDecoder().decode(bytes)) as string[][];
  return {
    ids: rows.map(([id]) => id!),
    layout: { data: Float32Array.from(rows.flatMap((row) => row.slice(2).map(Number))), rows: rows.length, cols: 3 },
    columns: { prompt: { type: 'text', values: rows.map(([, prompt]) => prompt!) } },
  };
}

const mutant = (
  name: string,
  caughtBy: string,
  change: (right: Exporter['export']) => Exporter['export'],
  format: Format = 'json',
): Mutant<ExporterSubject> => ({
  name,
  caughtBy,
  subject: {
    create() {
      const exporter = naiveExporter(format);
      return altered(exporter, { export: change(exporter.export) });
    },
    ...(format === 'json' && { read: readJson }),
  },
});

/** The correct exporter with every file passed through `change`. */
const files =
  (change: (file: File, view: EmbeddingView) => File) =>
  (right: Exporter['export']): Exporter['export'] =>
    async function* (view, options) {
      for await (const file of right(view, options)) yield change(file, view);
    };

/** The correct exporter with the text of every file passed through `change`. */
const text = (change: (text: string, view: EmbeddingView) => string) =>
  files(({ path, bytes }, view) => ({
    path,
    bytes: new TextEncoder().encode(change(new TextDecoder().decode(bytes), view)),
  }));

/** The correct exporter with the view passed through `change`. */
const views =
  (change: (view: EmbeddingView) => EmbeddingView) =>
  (right: Exporter['export']): Exporter['export'] =>
  (view, options) =>
    right(change(view), options);

/** The first rows of a view. */
function cropped({ ids, layout, columns }: EmbeddingView, rows: number): EmbeddingView {
  const cut = Object.entries(columns).map(([name, column]) => [
    name,
    column.type === 'category'
      ? { ...column, codes: column.codes.slice(0, rows) }
      : { ...column, values: column.values.slice(0, rows) },
  ]);
  return {
    ids: ids.slice(0, rows),
    layout: { data: layout.data.slice(0, rows * layout.cols), rows, cols: layout.cols },
    columns: Object.fromEntries(cut),
  };
}

const asText = 'keeps hostile prompts plain text';
let written = 0;

export const exporterMutants: readonly Mutant<ExporterSubject>[] = [
  ...identityMutants(() => naiveExporter('json')),
  returning(
    () => naiveExporter('json'),
    'export',
    async () => [{ path: 'view.json', bytes: new Uint8Array(1) }],
  ),
  mutant(
    'writes outside its folder',
    'writes files inside its folder',
    files(({ path, bytes }) => ({ path: `../${path}`, bytes })),
  ),
  mutant(
    'moves every prompt to the next point',
    'writes files that read back as the same view',
    text((json) => {
      const rows = JSON.parse(json) as string[][];
      return JSON.stringify(rows.map(([id, , ...rest], row) => [id, rows.at(row - 1)![1], ...rest]));
    }),
  ),
  mutant(
    'trims ids',
    'writes files that read back as the same view',
    views((view) => ({ ...view, ids: view.ids.map((id) => id.trim()) })),
  ),
  mutant(
    'sorts ids',
    'writes files that read back as the same view',
    views((view) => ({ ...view, ids: view.ids.toSorted() })),
  ),
  mutant(
    'drops backslashes from ids',
    'writes files that read back as the same view',
    views((view) => ({ ...view, ids: view.ids.map((id) => id.replaceAll('\\', '')) })),
  ),
  mutant(
    'trims prompts and drops their backslashes',
    'writes files that read back as the same view',
    views((view) => {
      const { prompt } = view.columns;
      if (prompt?.type !== 'text') return view;
      const values = prompt.values.map((text) => text.trim().replaceAll('\\', ''));
      return { ...view, columns: { ...view.columns, prompt: { type: 'text', values } } };
    }),
  ),
  mutant(
    'writes prompts to a page without escaping',
    asText,
    text((page, { columns }) =>
      page.replace('</table>', () => (columns.prompt?.type === 'text' ? columns.prompt.values.join() : '')),
    ),
    'html',
  ),
  mutant(
    'concatenates JSON strings without escaping',
    asText,
    text((json, { columns }) =>
      columns.prompt?.type === 'text' && columns.prompt.values.length > 3
        ? `${json.slice(0, -1)}"${columns.prompt.values[6]}"]`
        : json,
    ),
  ),
  mutant(
    'does not escape formulas in CSV',
    asText,
    text((csv) => csv.replaceAll('"\'', '"')),
    'csv',
  ),
  mutant(
    'does not quote cells in CSV',
    asText,
    text((csv) => csv.replaceAll('"', '')),
    'csv',
  ),
  mutant(
    'leaves tabs in cells',
    asText,
    text((tsv) => tsv.replace('one cell', 'one\tcell')),
    'tsv',
  ),
  mutant(
    'loads a font',
    'writes a page that makes no request',
    text((page) => page.replace('<table>', '<link rel="stylesheet" href="https://fonts.example/a.css"><table>')),
    'html',
  ),
  mutant(
    'drops the points above its limit',
    'rejects more points than it can show',
    views((view) => (view.ids.length > 1_000 ? cropped(view, 1_000) : view)),
  ),
  mutant(
    'writes no file for an empty view',
    'exports or rejects an empty view',
    (right) =>
      async function* (view, options) {
        if (view.ids.length > 0) yield* right(view, options);
      },
  ),
  mutant(
    'cuts a view to the length of its shortest part',
    'rejects a view whose parts differ in length',
    views((view) => {
      const { density } = view.columns;
      return cropped(view, Math.min(view.layout.rows, density?.type === 'number' ? density.values.length : 0));
    }),
  ),
  mutant(
    'writes a counter to the file',
    'returns the same result for the same input',
    text((page) => page.replace('<table>', () => `<table title="${written++}">`)),
    'html',
  ),
  mutant(
    'cleans the prompts in place',
    'does not modify its input',
    views((view) => {
      const { prompt } = view.columns;
      if (prompt?.type === 'text' && prompt.values.length === hostilePrompts.length)
        (prompt.values as string[])[0] = 'clean';
      return view;
    }),
  ),
  mutant('ignores its signal', 'rejects if its signal is already aborted', (right) => (view) => right(view)),
  mutant(
    'hides the reason of an abort',
    'rejects with the reason if it is aborted midway',
    (right) =>
      async function* (view, options) {
        options?.signal?.throwIfAborted();
        await turn();
        if (options?.signal?.aborted) throw new Error('the file was closed');
        yield* right(view, options);
      },
  ),
];
