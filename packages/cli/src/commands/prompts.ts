import { checkDifferentFiles } from '../shell/check-options.js';
import { command } from '../shell/command.js';
import { choice, integer, number, text } from '../shell/define-option.js';

export const prompts = command({
  description: 'Extract the distinct prompts of preference pairs',
  example: 'rarefy prompts --pairs pairs.jsonl --out prompts.jsonl',
  options: {
    pairs: text('file', 'JSON Lines of pairs, gzip or plain; - for stdin', { required: true }),
    out: text('file', 'JSON Lines of prompts to write, one per distinct text', { default: 'prompts_all.jsonl' }),
    'on-bad-line': choice(['stop', 'skip'], 'What to do with a line that is not a pair; skipped lines are counted', {
      default: 'stop',
    }),
    'merge-near-duplicates': number(
      'Merge prompts whose sets of 5-character pieces have at least this Jaccard similarity, such as 0.9; default none',
      { min: 0.01, max: 1 },
    ),
    seed: integer('Seed of the search for near-duplicates', { default: 0 }),
  },
  async run({ pairs, out, onBadLine, mergeNearDuplicates: similarity, seed }, options) {
    checkDifferentFiles({ pairs, out });
    const { mergeNearDuplicates, readPairs, uniquePrompts } = await import('@rarefy/data');
    const { writeJsonl } = await import('@rarefy/io');
    const stats = { records: 0, skipped: {} };
    const distinct = await uniquePrompts(readPairs(pairs, { ...options, onBadLine, stats }));
    const records =
      similarity === undefined ? distinct : await mergeNearDuplicates(distinct, { ...options, similarity, seed });
    await writeJsonl(out, records, options);
    const merged = similarity === undefined ? '' : `; ${distinct.length - records.length} near-duplicates merged`;
    console.log(`${records.length} distinct prompts of ${stats.records} pairs in ${out}${merged}`);
  },
});
