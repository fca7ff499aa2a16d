import { hubOptions } from '../models/hub-options.js';
import { command } from '../shell/command.js';

export const download = command({
  description: 'Gather preference pairs of data sets into one file',
  example: 'rarefy download --dataset Anthropic/hh-rlhf,stanfordnlp/SHP --out pairs_all.jsonl',
  options: {
    dataset: {
      type: 'text',
      valueHint: 'names',
      required: true,
      description:
        'Names on the hub or local jsonl, csv or parquet files, with commas between; known are Anthropic/hh-rlhf, HuggingFaceH4/ultrafeedback_binarized, stanfordnlp/SHP and PKU-Alignment/PKU-SafeRLHF, others are read by their columns',
    },
    out: {
      type: 'text',
      valueHint: 'file',
      default: 'pairs_all.jsonl',
      description: 'JSON Lines of pairs to write; <file>.manifest.json beside it tells sources, licences and revisions',
    },
    split: {
      type: 'choice',
      choices: ['train', 'test', 'all'],
      default: 'train',
      description: 'Of the known data sets',
    },
    files: {
      type: 'text',
      valueHint: 'text',
      description: 'Of other data sets: files whose path holds this; default all',
    },
    'prompt-column': { type: 'text', valueHint: 'name', description: 'Default prompt' },
    'chosen-column': { type: 'text', valueHint: 'name', description: 'Default chosen' },
    'rejected-column': { type: 'text', valueHint: 'name', description: 'Default rejected' },
    limit: { type: 'integer', min: 1, description: 'Most pairs of each data set' },
    'on-bad-line': {
      type: 'choice',
      choices: ['skip', 'stop'],
      default: 'skip',
      description: 'What to do about a row that is no pair; skipped ones are counted',
    },
    ...hubOptions,
  },
  async run({ dataset, out, limit, promptColumn, chosenColumn, rejectedColumn, ...values }, options) {
    const { downloadPairs } = await import('@rarefy/data');
    const { table } = await import('../terminal/table.js');
    const { pairs, sources } = await downloadPairs(
      out,
      dataset.split(',').flatMap((name) => name.trim() || []),
      {
        ...values,
        ...options,
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
    console.log(table([['data set', 'pairs', 'skipped', 'licence', 'revision'], ...rows]));
    console.log(`${pairs} pairs in ${out}`);
  },
});
