import { checkEngineOptions, neighborOptions } from '../open/neighbor-engine.js';
import { weightingOptions } from '../open/weighting.js';
import { checkApplies, checkDifferentFiles } from '../shell/check-options.js';
import { command } from '../shell/command.js';
import { choice, integer, number, text } from '../shell/define-option.js';
import { under } from '../shell/options.js';

export const sample = command({
  description: 'Sample rows without replacement, rare ones more often',
  example: 'rarefy sample --embeddings embeddings.safetensors --budget 1000 --out sampled_ids.txt',
  options: {
    ...under('Data', {
      embeddings: text('file', 'Embeddings file', { required: true }),
    }),
    ...under('Sampling', {
      budget: integer('Number of rows to sample', { min: 1, required: true }),
      method: choice(
        ['weighted', 'coverage', 'cluster-balanced'],
        'weighted: by weight; coverage: so that no row is far from a sampled one; cluster-balanced: equally many of each cluster, by weight',
        { default: 'weighted' },
      ),
    }),
    ...weightingOptions,
    ...under('Sampling', {
      clusters: integer('Number of clusters of cluster-balanced; default the square root of the number of rows', {
        min: 1,
      }),
      seed: integer('The same seed and file give the same rows', { default: 0 }),
    }),
    ...under('Density', {
      k: integer('Number of nearest other rows, by inner product', { default: 20, min: 1 }),
      eps: number('Weight = (1 / (eps + density)) ^ exponent', { default: 1e-3, min: 0 }),
    }),
    ...neighborOptions,
    ...under('Output', {
      out: text('file', 'Text file to write, with one id per line, in draw order', { required: true }),
      report: text('file', 'JSON file to write, with the probability of each sampled id and how it was sampled'),
    }),
  },
  async run({ embeddings: file, out, method, report, ...values }, context, given) {
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { openEmbeddings } = await import('@rarefy/embeddings');
    const { checkLineIds, writeAtomically } = await import('@rarefy/io');
    const { namingFile } = await import('../open/embeddings.js');
    const { subsetMethods } = await import('../open/subset-methods.js');
    checkDifferentFiles({ embeddings: file, out, report });
    checkApplies(given, 'method', subsetMethods, [method]);
    checkEngineOptions(given, values.neighbors);
    await using reader = await openEmbeddings(file, context);
    const { ids } = reader;
    const { budget, seed } = values;
    if (budget > reader.rows) {
      throw new InvalidArgumentError(`--budget ${budget} is more than the ${reader.rows} rows of ${file}.`);
    }
    checkLineIds(ids);
    const sampling = subsetMethods[method].open(reader, values, context);
    const { positions, columns, details, note } = await namingFile(file, sampling);
    const sampled = Array.from(positions, (row) => ids[row]!);
    await writeAtomically(out, Buffer.from(sampled.map((id) => `${id}\n`).join('')), context);
    if (report !== undefined) {
      const rows = Array.from(positions, (row) => ({
        id: ids[row]!,
        ...Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[row]])),
      }));
      const content = { method, rows: reader.rows, budget, seed, ...details, sampled: rows };
      await writeAtomically(report, Buffer.from(`${JSON.stringify(content, null, 1)}\n`), context);
    }
    console.log(`${budget} of ${ids.length} ids in ${out}`);
    if (note !== undefined) console.log(note);
  },
});
