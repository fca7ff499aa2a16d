import { BadLine, describeValue } from '@rarefy/io';
import { type Fields, toAnswer, toPrompt } from '../records/fields.js';
import { pairOfExchanges, type ToPair } from '../records/pairs.js';
import { lastMessage } from '../records/transcript.js';

/** A data set of preference pairs on a hub. */
export interface PairSet {
  /** Source of its pairs. */
  readonly src: string;
  /** Whether a file of the repository belongs to a split. */
  readonly isFile: (path: string, split: 'train' | 'test') => boolean;
  readonly toPair: ToPair;
}

/** The data sets that are known by name, in the format that their pages describe. */
export const pairSets: Readonly<Record<string, PairSet>> = {
  'Anthropic/hh-rlhf': {
    src: 'hh_rlhf',
    isFile: (path, split) => new RegExp(`^(harmless|helpful)-[\\w-]+/${split}\\.jsonl(\\.gz)?$`).test(path),
    toPair: (row) => pairOfExchanges(row, 'chosen', 'rejected'), // a few rows answer different prompts
  },
  'HuggingFaceH4/ultrafeedback_binarized': {
    src: 'ultrafeedback',
    isFile: (path, split) => new RegExp(`^data/${split}_prefs-[\\d-]+of-\\d+\\.parquet$`).test(path),
    toPair: (row) => ({
      prompt: toPrompt(row),
      chosen: lastMessage(row, 'chosen'),
      rejected: lastMessage(row, 'rejected'),
    }),
  },
  'stanfordnlp/SHP': {
    src: 'shp',
    isFile: (path, split) => new RegExp(`^\\w+/${split}\\.jsonl?$`).test(path),
    toPair(row) {
      const answers = ordered(row, ['human_ref_B', 'human_ref_A'], 'labels');
      const topic = typeof row.domain === 'string' ? { topic: row.domain } : {};
      return { prompt: toPrompt({ prompt: row.history }), ...answers, ...topic };
    },
  },
  'PKU-Alignment/PKU-SafeRLHF': {
    src: 'pku_safe_rlhf',
    isFile: (path, split) => new RegExp(`^data/[\\w.-]+/${split}\\.jsonl$`).test(path),
    toPair(row) {
      const answers = ordered(row, ['response_0', 'response_1'], 'better_response_id');
      return { prompt: toPrompt(row), ...answers };
    },
  },
};

/** Two answers, of which the column `better` names the chosen one: 0 or 1. */
function ordered(
  row: Fields,
  names: readonly [string, string],
  better: string,
): Pick<ReturnType<ToPair>, 'chosen' | 'rejected'> {
  const answers = [toAnswer(row, names[0]), toAnswer(row, names[1])] as const;
  const index = Number(row[better]);
  if (index !== 0 && index !== 1) {
    throw new BadLine('no-answer', `${better} must be 0 or 1, got ${describeValue(row[better])}`);
  }
  return { chosen: answers[index], rejected: answers[index === 0 ? 1 : 0] };
}
