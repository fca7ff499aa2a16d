import { hubOptions } from '../open/hub.js';
import { command } from '../shell/command.js';
import { choice, integer, text } from '../shell/define-option.js';
import { under } from '../shell/options.js';

export const download = command({
  description: 'Collect the preference pairs of data sets in one file',
  example: 'rarefy download --dataset Anthropic/hh-rlhf,stanfordnlp/SHP --out pairs_all.jsonl',
  options: {
    ...under('Data', {
      dataset: text(
        'names',
        'Data sets on the hub, or local jsonl, csv or parquet files, separated by commas. Anthropic/hh-rlhf, HuggingFaceH4/ultrafeedback_binarized, stanfordnlp/SHP and PKU-Alignment/PKU-SafeRLHF have their own readers; others are read by their columns',
        { required: true },
      ),
      split: choice(['train', 'test', 'all'], 'Split of the data sets with their own readers', { default: 'train' }),
      files: text('text', 'For other data sets: read the files whose path contains this text; default all'),
      'prompt-column': text('name', 'Column of prompts; default prompt'),
      'chosen-column': text('name', 'Column of chosen answers; default chosen'),
      'rejected-column': text('name', 'Column of rejected answers; default rejected'),
      limit: integer('Largest number of pairs of each data set', { min: 1 }),
      'on-bad-line': choice(['skip', 'stop'], 'What to do with a row that is not a pair; skipped rows are counted', {
        default: 'skip',
      }),
      ...hubOptions,
    }),
    ...under('Output', {
      out: text(
        'file',
        'JSON Lines of pairs to write; <file>.manifest.json beside it lists sources, licenses and revisions',
        { default: 'pairs_all.jsonl' },
      ),
    }),
  },
  async run({ dataset, out, limit, promptColumn, chosenColumn, rejectedColumn, ...values }, context) {
    const { downloadPairs } = await import('@rarefy/data');
    const { table } = await import('../shell/text.js');
    const { pairs, sources } = await downloadPairs(
      out,
      dataset.split(',').flatMap((name) => name.trim() || []),
      {
        ...values,
        ...context,
        ...(limit === undefined ? {} : { limit }),
        columns: { prompt: promptColumn, chosen: chosenColumn, rejected: rejectedColumn },
      },
    );
    const rows = sources.map((source) => [
      source.dataset,
      String(source.pairs),
      String(Object.values(source.skipped).reduce((sum, count) => sum + count, 0)),
      source.license,
      source.revision.slice(0, 12),
    ]);
    console.log(table([['data set', 'pairs', 'skipped', 'license', 'revision'], ...rows]));
    console.log(`${pairs} pairs in ${out}`);
  },
});
