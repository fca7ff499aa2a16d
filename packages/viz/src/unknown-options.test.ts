import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { buildView, jsonExporter, pageExporter, pca, umap } from './index.js';

/** Options as JavaScript can pass them. */
const wrong = <Value>(options: unknown) => options as Value;
const calls: Record<string, [create: () => unknown, message: string]> = {
  umap: [() => umap(wrong({ seed: 1, neighbours: 5 })), 'umap has no option "neighbours"; did you mean "neighbors"?'],
  pca: [() => pca(wrong({ dimensions: 3 })), 'pca has no option "dimensions"; it has no options'],
  jsonExporter: [() => jsonExporter(wrong({ path: 'a' })), 'jsonExporter has no option "path"; it has no options'],
  pageExporter: [
    () => pageExporter(wrong({ tittle: 'a' })),
    'pageExporter has no option "tittle"; did you mean "title"?',
  ],
  buildView: [
    () => buildView([], { data: new Float32Array(0), rows: 0, cols: 3 }, wrong({ projectors: pca() })),
    'buildView has no option "projectors"; did you mean "projector"?',
  ],
};

test.each(Object.entries(calls))('%s refuses an option that it does not have', async (_, [create, message]) => {
  const failed = Promise.resolve().then(create);
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(message);
});
