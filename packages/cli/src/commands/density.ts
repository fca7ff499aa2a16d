import { embedderOptions } from '../models/embedder-options.js';
import { command } from '../shell/command.js';
import { weightingOptions } from '../training/weighting-options.js';
import { engineNames, estimatorNames, estimatorOptions } from '../weighing/estimator-options.js';

export const density = command({
  description: 'Measure how crowded each prompt is and turn that into sampling weights',
  example: 'rarefy density --prompts prompts.jsonl --target-ess 0.5 --out weights.jsonl',
  options: {
    prompts: { type: 'text', valueHint: 'file', description: 'JSON Lines of prompts to embed; or give --embeddings' },
    embeddings: { type: 'text', valueHint: 'file', description: 'Embeddings file; or give --prompts' },
    out: {
      type: 'text',
      valueHint: 'file',
      required: true,
      description: 'JSON Lines of {id, density, weight, probability} to write',
    },
    ...weightingOptions,
    ...estimatorOptions,
    eps: { type: 'number', min: 0, description: 'Added to every density; default 0 for knn-distance, else 0.001' },
    compare: { type: 'choice', choices: estimatorNames, description: 'Tell how far another estimator agrees' },
    'compare-neighbors': {
      type: 'choice',
      choices: engineNames,
      description: 'Tell what another way to find neighbours changes',
    },
    report: { type: 'text', valueHint: 'file', description: 'JSON file to write: what the weights do to the draws' },
    ...embedderOptions,
  },
  async run({ out, report, ...values }, options) {
    const { densityReport } = await import('@rarefy/density');
    const { writeAtomically } = await import('@rarefy/io');
    const { checkDifferentFiles } = await import('../shell/check-files.js');
    const { measurePrompts } = await import('../weighing/measure-prompts.js');
    const { weightTables } = await import('../weighing/weight-tables.js');
    const { writeWeights } = await import('../training/density-weights.js');
    checkDifferentFiles({ prompts: values.prompts, embeddings: values.embeddings, out, report });
    const { ids, density, weights, details, agreement } = await measurePrompts(values, options);
    const { warnings, ...effect } = densityReport(density, weights);
    const rows = ids.map((id) => ({ id }));
    await writeWeights(out, rows, density, weights, options);
    if (report !== undefined) {
      const content = { ...details, weights: effect, ...(agreement && { agreement }) };
      await writeAtomically(report, Buffer.from(`${JSON.stringify(content, null, 1)}\n`), options);
    }
    for (const message of warnings) {
      options.onEvent({ type: 'work-warning', task: 'weigh', code: 'weights', message });
    }
    console.log(weightTables(effect, agreement));
  },
});
