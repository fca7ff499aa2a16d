import { embedderOptions } from '../models/embedder-options.js';
import { command } from '../shell/command.js';

export const view = command({
  description: 'Lay the prompt space out in 3D: embeddings_3d.json and a page that works from disk',
  example: 'rarefy view --pairs pairs.jsonl --out view',
  options: {
    pairs: { type: 'text', valueHint: 'file', description: 'JSON Lines of pairs; or give --prompts' },
    prompts: { type: 'text', valueHint: 'file', description: 'JSON Lines of prompts; or give --pairs' },
    embeddings: { type: 'text', valueHint: 'file', description: 'Their embeddings by id; default: embed them now' },
    out: { type: 'text', valueHint: 'folder', required: true, description: 'Folder to write to' },
    projector: { type: 'choice', choices: ['umap', 'pca'], default: 'umap', description: 'How to lay out' },
    seed: { type: 'integer', default: 0, description: 'Of umap; the same seed and prompts give the same layout' },
    ...embedderOptions,
  },
  async run({ pairs, prompts, embeddings: file, out, projector, seed, ...choice }, options) {
    const { join } = await import('node:path');
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { readPairs, readPrompts, uniquePrompts } = await import('@rarefy/data');
    const { writeAtomically } = await import('@rarefy/io');
    const { buildView, jsonExporter, pageExporter, pca, umap } = await import('@rarefy/viz');
    const { embeddingsOf } = await import('../models/embeddings-of.js');
    if ((pairs === undefined) === (prompts === undefined)) {
      throw new InvalidArgumentError('give one of --pairs and --prompts.');
    }
    const rows = pairs === undefined ? readPrompts(prompts!, options) : readPairs(pairs, options);
    const records = await uniquePrompts(rows);
    const embeddings = await embeddingsOf(records, file, choice, options);
    const layout = projector === 'pca' ? pca() : umap({ seed });
    const built = await buildView(records, embeddings, { ...options, projector: layout });
    for (const exporter of [jsonExporter(), pageExporter()]) {
      for await (const { path, bytes } of exporter.export(built, options)) {
        await writeAtomically(join(out, path), bytes, options);
        console.log(join(out, path));
      }
    }
  },
});
