import { BadLine, describeValue } from '@rarefy/io';
import type { Pair } from './pairs.js';
import { type Fields, toAnswer, toPrompt } from './record-fields.js';
import { promptAndAnswer, promptOf, type Turn, transcriptTurns } from './transcript.js';

/** A row as a pair without its id and source; throws BadLine for one that holds none. */
export type ToPair = (row: Fields) => Pick<Pair, 'prompt' | 'chosen' | 'rejected' | 'topic'>;

/** A data set of preference pairs on a hub. */
export interface PairSet {
  /** Source of its pairs. */
  readonly src: string;
  /** Its data files of a split. */
  readonly isFile: (path: string, split: 'train' | 'test') => boolean;
  readonly toPair: ToPair;
}

/** Data sets that are known by name, as their pages describe them. */
export const pairSets: Readonly<Record<string, PairSet>> = {
  'Anthropic/hh-rlhf': {
    src: 'hh_rlhf',
    isFile: (path, split) => new RegExp(`^(harmless|helpful)-[\\w-]+/${split}\\.jsonl(\\.gz)?$`).test(path),
    toPair(row) {
      const chosen = transcript(row, 'chosen');
      const rejected = transcript(row, 'rejected');
      // Both begin with the same turns; in a few rows they part earlier, and then they do not answer the same prompt.
      if (chosen.prompt !== rejected.prompt)
        throw new BadLine('no-answer', 'chosen and rejected answer different prompts');
      return { prompt: chosen.prompt, chosen: chosen.answer, rejected: rejected.answer };
    },
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
      const [a, b] = [toAnswer(row, 'human_ref_A'), toAnswer(row, 'human_ref_B')];
      const label = Number(row.labels);
      if (label !== 0 && label !== 1)
        throw new BadLine('no-answer', `labels must be 0 or 1, and is ${describeValue(row.labels)}`);
      const topic = typeof row.domain === 'string' ? { topic: row.domain } : {};
      return {
        prompt: toPrompt({ prompt: row.history }),
        chosen: label === 1 ? a : b,
        rejected: label === 1 ? b : a,
        ...topic,
      };
    },
  },
  'PKU-Alignment/PKU-SafeRLHF': {
    src: 'pku_safe_rlhf',
    isFile: (path, split) => new RegExp(`^data/[\\w.-]+/${split}\\.jsonl$`).test(path),
    toPair(row) {
      const answers = [toAnswer(row, 'response_0'), toAnswer(row, 'response_1')] as const;
      const better = Number(row.better_response_id);
      if (better !== 0 && better !== 1) {
        throw new BadLine(
          'no-answer',
          `better_response_id must be 0 or 1, and is ${describeValue(row.better_response_id)}`,
        );
      }
      return { prompt: toPrompt(row), chosen: answers[better], rejected: answers[better === 0 ? 1 : 0] };
    },
  },
};

/** Columns of a data set of another make. */
export interface ColumnMap {
  /** Default `prompt`. Where rows have no prompt of their own, chosen and rejected are transcripts that begin with it. */
  readonly prompt?: string | undefined;
  /** Default `chosen`: a text, a transcript, or a list of `{ role, content }`. */
  readonly chosen?: string | undefined;
  /** Default `rejected`. */
  readonly rejected?: string | undefined;
}

/** Reads rows by their columns. */
export function mappedPair({ prompt = 'prompt', chosen = 'chosen', rejected = 'rejected' }: ColumnMap): ToPair {
  return (row) => {
    if (row[prompt] !== undefined || !beginsWithPrompt(row[chosen])) {
      const text = isMessages(row[prompt]) ? promptOf(messages(row, prompt)) : toPrompt({ prompt: row[prompt] });
      return { prompt: text, chosen: answerOf(row, chosen), rejected: answerOf(row, rejected) };
    }
    const [better, worse] = [conversation(row, chosen), conversation(row, rejected)];
    if (better.prompt !== worse.prompt)
      throw new BadLine('no-answer', `${chosen} and ${rejected} answer different prompts`);
    return { prompt: better.prompt, chosen: better.answer, rejected: worse.answer };
  };
}

function beginsWithPrompt(value: unknown): boolean {
  return isMessages(value) || (typeof value === 'string' && transcriptTurns(value) !== undefined);
}

function isMessages(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry?.content === 'string');
}

function answerOf(row: Fields, name: string): string {
  if (Array.isArray(row[name])) return lastMessage(row, name);
  const text = toAnswer(row, name);
  return promptAndAnswer(text)?.answer ?? text;
}

function conversation(row: Fields, name: string): { readonly prompt: string; readonly answer: string } {
  if (!Array.isArray(row[name])) return transcript(row, name);
  const turns = messages(row, name);
  return { prompt: promptOf(turns.slice(0, -1)), answer: lastMessage(row, name) };
}

function transcript(row: Fields, name: string): { readonly prompt: string; readonly answer: string } {
  const found = promptAndAnswer(toAnswer(row, name));
  if (found === undefined || found.prompt.trim() === '') {
    throw new BadLine('no-prompt', `${name} is no transcript of Human and Assistant that ends with an answer`);
  }
  return found;
}

function lastMessage(row: Fields, name: string): string {
  const last = messages(row, name).at(-1);
  if (last?.role === 'assistant') return last.text;
  throw new BadLine('no-answer', `${name} does not end with a message of the assistant`);
}

/** A list of `{ role, content }`; what the system says counts as the human's. */
function messages(row: Fields, name: string): Turn[] {
  const list: readonly unknown[] = Array.isArray(row[name]) ? (row[name] as readonly unknown[]) : [];
  return list.map((entry) => {
    const { role, content } = (entry ?? {}) as { role?: unknown; content?: unknown };
    if (typeof content !== 'string')
      throw new BadLine('no-answer', `${name} must be a list of messages with a content`);
    return { role: role === 'assistant' ? 'assistant' : 'human', text: content };
  });
}
