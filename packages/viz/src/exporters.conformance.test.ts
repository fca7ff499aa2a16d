import type { EmbeddingView } from '@rarefy/core';
import { type ExportedFiles, exporterChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { jsonExporter, pageExporter, type ViewPoint } from './index.js';
import { decodeView } from './view/view-data.js';

const textOf = (files: ExportedFiles, path: string) => new TextDecoder().decode(files.get(path));

/** Layout and prompts, the parts of the view that are in the points. */
function readPoints(files: ExportedFiles): Partial<EmbeddingView> {
  const points = JSON.parse(textOf(files, 'embeddings_3d.json')) as ViewPoint[];
  return {
    layout: { data: Float32Array.from(points.flatMap(({ x, y, z }) => [x, y, z])), rows: points.length, cols: 3 },
    columns: { prompt: { type: 'text', values: points.map(({ prompt }) => prompt) } },
  };
}

describeChecks('jsonExporter', exporterChecks({ create: jsonExporter, read: readPoints, fingerprint: 'json' }));
describeChecks(
  'pageExporter',
  exporterChecks({
    create: () => pageExporter(),
    read: (files) =>
      decodeView(
        /<script type="application\/json" id="view">([\s\S]*?)<\/script>/.exec(textOf(files, 'view.html'))![1]!,
      ),
    variants: [() => pageExporter({ title: 'Another' })],
  }),
);
