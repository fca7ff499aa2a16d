import { checkEmbeddings, embeddingOptions } from '../open/embedders.js';
import { command } from '../shell/command.js';
import { choice, integer, text } from '../shell/define-option.js';
import { under } from '../shell/options.js';

export const view = command({
  description: 'Lay out the prompt space in 3D: embeddings_3d.json, and a page that works without a server',
  example: 'rarefy view --pairs pairs.jsonl --out view',
  options: {
    ...under('Data', {
      pairs: text('file', 'JSON Lines of pairs, whose distinct prompts are shown'),
      prompts: text('file', 'JSON Lines of prompts, in place of --pairs'),
      embeddings: text('file', 'Embeddings file with a row for the id of each prompt; nothing is embedded then'),
    }),
    ...embeddingOptions,
    ...under('Output', {
      out: text('folder', 'Folder to write to', { required: true }),
      projector: choice(['umap', 'pca'], 'Layout method', { default: 'umap' }),
      seed: integer('Seed of umap; the same seed and prompts give the same layout', { default: 0 }),
    }),
  },
  async run({ pairs, prompts, embeddings: file, out, projector, seed, ...embedder }, context, given) {
    const { join } = await import('node:path');
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { readPairs, readPrompts, uniquePrompts } = await import('@rarefy/data');
    const { writeAtomically } = await import('@rarefy/io');
    const { buildView, jsonExporter, pageExporter, pca, umap } = await import('@rarefy/viz');
    const { embeddingsOf } = await import('../open/embeddings.js');
    checkEmbeddings(given);
    if ((pairs === undefined) === (prompts === undefined)) {
      throw new InvalidArgumentError('give either --pairs or --prompts.');
    }
    const rows = pairs === undefined ? readPrompts(prompts!, context) : readPairs(pairs, context);
    const records = await uniquePrompts(rows);
    const embeddings = await embeddingsOf(records, file, { ...embedder, pairs, prompts }, context);
    const layout = projector === 'pca' ? pca() : umap({ seed });
    const built = await buildView(records, embeddings, { ...context, projector: layout });
    for (const exporter of [jsonExporter(), pageExporter()]) {
      for await (const { path, bytes } of exporter.export(built, context)) {
        await writeAtomically(join(out, path), bytes, context);
        console.log(join(out, path));
      }
    }
  },
});
