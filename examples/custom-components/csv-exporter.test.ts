import { type ExportedFiles, exporterChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { csvExporter } from './csv-exporter.js';

/** The ids and the layout; `exporterChecks` compares them with the view. */
function read(files: ExportedFiles) {
  const text = new TextDecoder().decode(files.get('view.csv'));
  const cols = text.startsWith('"id","x","y","z"') ? 3 : 2;
  const points = [...text.matchAll(/^"((?:[^"]|"")*)",([-\d.e,]+),"/gm)];
  const data = Float32Array.from(points.flatMap(([, , coordinates]) => coordinates!.split(',').map(Number)));
  return { ids: points.map(([, id]) => id!.replaceAll('""', '"')), layout: { data, rows: points.length, cols } };
}

describeChecks('csvExporter', exporterChecks({ create: csvExporter, read, fingerprint: 'csv' }));
