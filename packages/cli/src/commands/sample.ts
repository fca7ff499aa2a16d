import { command } from '../shell/command.js';
import { weightingOptions } from '../training/weighting-options.js';
import { neighborsOption, rowsAsOption } from '../weighing/estimator-options.js';

export const sample = command({
  description: 'Pick a subset of rows without replacement, rare ones more often',
  example: 'rarefy sample --embeddings embeddings.safetensors --budget 1000 --out sampled_ids.txt',
  options: {
    embeddings: { type: 'text', valueHint: 'file', required: true, description: 'Embeddings file' },
    budget: { type: 'integer', min: 1, required: true, description: 'Rows to pick' },
    out: {
      type: 'text',
      valueHint: 'file',
      required: true,
      description: 'Text file to write, one id a line in draw order',
    },
    method: {
      type: 'choice',
      choices: ['weighted', 'coverage', 'cluster-balanced'],
      default: 'weighted',
      description: 'By weight; so that no row is far from a picked one; or equally many of each cluster, by weight',
    },
    ...weightingOptions,
    k: { type: 'integer', default: 20, min: 1, description: 'Nearest other rows, by inner product, that count' },
    eps: { type: 'number', default: 1e-3, min: 0, description: 'Weight = (1 / (eps + density)) ^ exponent' },
    clusters: { type: 'integer', min: 1, description: 'Of cluster-balanced; default the root of the number of rows' },
    seed: { type: 'integer', default: 0, description: 'The same seed and file give the same rows' },
    neighbors: neighborsOption,
    'rows-as': rowsAsOption,
    report: {
      type: 'text',
      valueHint: 'file',
      description: 'JSON file to write: each id with its chance to be picked, and how',
    },
  },
  async run({ embeddings: file, out, method, report, ...values }, options) {
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { openEmbeddings } = await import('@rarefy/embeddings');
    const { writeAtomically } = await import('@rarefy/io');
    const { checkLineIds } = await import('../sampling/check-line-ids.js');
    const { checkDifferentFiles } = await import('../shell/check-files.js');
    const { namingFile } = await import('../weighing/naming-file.js');
    const { subsetMethods } = await import('../sampling/subset-methods.js');
    checkDifferentFiles({ embeddings: file, out, report });
    await using reader = await openEmbeddings(file, options);
    const { ids } = reader;
    const { budget, seed } = values;
    if (budget > reader.rows) {
      throw new InvalidArgumentError(`--budget ${budget} is more than the ${reader.rows} rows of ${file}.`);
    }
    checkLineIds(ids);
    const picking = subsetMethods[method](reader, values, options);
    const { positions, columns, details, note } = await namingFile(file, picking);
    const sampled = Array.from(positions, (row) => ids[row]!);
    await writeAtomically(out, Buffer.from(sampled.map((id) => `${id}\n`).join('')), options);
    if (report !== undefined) {
      const rows = Array.from(positions, (row) => ({
        id: ids[row]!,
        ...Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[row]])),
      }));
      const content = { method, rows: reader.rows, budget, seed, ...details, sampled: rows };
      await writeAtomically(report, Buffer.from(`${JSON.stringify(content, null, 1)}\n`), options);
    }
    console.log(`${budget} of ${ids.length} ids in ${out}`);
    if (note !== undefined) console.log(note);
  },
});
