import type { DensityReport } from '@rarefy/density';
import { checkEmbeddings, embeddingOptions } from '../open/embedders.js';
import { checkEstimatorOptions, estimatorNames, estimatorOptions } from '../open/estimator.js';
import { engineNames } from '../open/neighbor-engine.js';
import type { Agreement } from '../open/prompt-weights.js';
import { weightingOptions } from '../open/weighting.js';
import { checkDifferentFiles, checkExclusive } from '../shell/check-options.js';
import { command } from '../shell/command.js';
import { choice, integer, text } from '../shell/define-option.js';
import { under } from '../shell/options.js';
import { percent, table } from '../shell/text.js';

export const density = command({
  description: 'Measure how crowded the neighborhood of each prompt is, and turn that into sampling weights',
  example: 'rarefy density --pairs pairs.jsonl --target-ess 0.5 --out weights.jsonl',
  options: {
    ...under('Data', {
      pairs: text('file', 'JSON Lines of pairs, whose distinct prompts are weighed'),
      prompts: text('file', 'JSON Lines of prompts, in place of --pairs'),
      embeddings: text(
        'file',
        'Embeddings file: its rows for the ids of the prompts, or all rows if no prompts are given',
      ),
    }),
    ...weightingOptions,
    ...estimatorOptions,
    ...under('Density', {
      seed: integer('Seed of random samples, hashes and clusters', { default: 0 }),
      compare: choice(estimatorNames, 'Report how well the weights agree with those of another estimator'),
      'compare-neighbors': choice(
        engineNames,
        'Report how well the weights agree with those of another neighbor search',
      ),
    }),
    ...embeddingOptions,
    ...under('Output', {
      out: text('file', 'JSON Lines of {id, density, weight, probability} to write; train grpo and train rm read it', {
        required: true,
      }),
      report: text('file', 'JSON file to write, with the effect of the weights on the draws'),
    }),
  },
  async run({ out, report: reportFile, compare, compareNeighbors, ...values }, context, given) {
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { readPairs, readPrompts, uniquePrompts, writeWeights } = await import('@rarefy/data');
    const { writeAtomically } = await import('@rarefy/io');
    const { comparePromptWeights } = await import('../open/prompt-weights.js');
    const { pairs, prompts, embeddings } = values;
    checkDifferentFiles({ pairs, prompts, embeddings, out, report: reportFile });
    checkExclusive(given, 'pairs', ['prompts'], 'both name the prompts');
    checkEmbeddings(given);
    checkEstimatorOptions(given, values, { estimator: compare, neighbors: compareNeighbors });
    if (pairs === undefined && prompts === undefined && embeddings === undefined) {
      throw new InvalidArgumentError('give --pairs, --prompts or --embeddings.');
    }
    const records =
      pairs !== undefined
        ? readPairs(pairs, context)
        : prompts !== undefined
          ? readPrompts(prompts, context)
          : undefined;
    const { ids, details, agreement, report, ...columns } = await comparePromptWeights(
      records && (await uniquePrompts(records)),
      values,
      { estimator: compare, neighbors: compareNeighbors },
      context,
    );
    const { warnings, ...effect } = report;
    await writeWeights(out, ids, columns, context);
    if (reportFile !== undefined) {
      const content = { ...details, weights: effect, ...(agreement && { agreement }) };
      await writeAtomically(reportFile, Buffer.from(`${JSON.stringify(content, null, 1)}\n`), context);
    }
    console.log([effectTable(report), ...(agreement ? [agreementTable(agreement)] : [])].join('\n\n'));
  },
});

function effectTable({ rows, essOverN, maxOverMin, rarest1Share, rarest10Share }: DensityReport): string {
  return table([
    ['prompts', 'ESS/N', 'max/min', 'draws of rarest 1 %', 'of rarest 10 %'],
    [String(rows), essOverN.toFixed(3), maxOverMin.toPrecision(3), percent(rarest1Share), percent(rarest10Share)],
  ]);
}

function agreementTable({ name, spearman, rarest1Overlap, rarest10Overlap, totalVariation }: Agreement): string {
  return table([
    ['compared with', 'rank correlation', 'same rarest 1 %', 'same rarest 10 %', 'different draws'],
    [
      name,
      spearman === undefined ? 'none' : spearman.toFixed(3),
      percent(rarest1Overlap),
      percent(rarest10Overlap),
      totalVariation === undefined ? '' : percent(totalVariation),
    ],
  ]);
}
