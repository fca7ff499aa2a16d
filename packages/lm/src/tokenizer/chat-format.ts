import { InputError, InvalidArgumentError } from '@rarefy/core';
import type { Tokenizer } from './tokenizer.js';

interface ChatPrompt {
  readonly ids: Int32Array;
  /** Whether text was cut to fit `maxTokens`. */
  readonly truncated: boolean;
}

interface ChatConversation extends ChatPrompt {
  /** Index of the first trained id: the answer and the stop token start here. */
  readonly answerStart: number;
}

/** How an exchange of user and assistant is written in tokens. Text never becomes a special token; special tokens are never cut. */
export interface ChatFormat {
  readonly name: 'nanochat' | 'chatml' | 'plain';
  /** The token that ends an answer. */
  readonly stopId: number;
  /**
   * The prompt, up to where the answer of the assistant begins. A text that is too long loses its beginning.
   * @param maxTokens most ids of the result; default: no limit
   * @throws InvalidArgumentError if `maxTokens` leaves no room for the special tokens.
   */
  prompt(text: string, maxTokens?: number): ChatPrompt;
  /**
   * The prompt, the answer and the stop token. If this is too long, the prompt loses its beginning; if that is not enough, the
   * answer loses its end, including the stop token.
   * @param maxTokens most ids of the result; default: no limit
   * @throws InvalidArgumentError if `maxTokens` leaves no room for the special tokens and one id of the answer.
   */
  conversation(prompt: string, answer: string, maxTokens?: number): ChatConversation;
}

/** The ids around the text of the user. */
interface Marks {
  readonly name: ChatFormat['name'];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly stopId: number;
  /** Text put before the text of the user and before the answer. */
  readonly lead: string;
}

const beginNames = ['<|begin_of_text|>', '<s>', '<bos>', '<|bos|>'];
const endNames = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>', '<|eos|>', '<｜end▁of▁sentence｜>'];

/**
 * The conversation format that the tokenizer has special tokens for: nanochat's, or ChatML, or else plain text (`User: …` and
 * `Assistant: …`, ended by the end-of-text token).
 * @throws InputError if the tokenizer has no token that can end an answer.
 */
export function chatFormat(tokenizer: Tokenizer): ChatFormat {
  const { name, before, after, stopId, lead } = nanochat(tokenizer) ?? chatMl(tokenizer) ?? plain(tokenizer);
  const marks = before.length + after.length;
  return {
    name,
    stopId,
    prompt(text, maxTokens = Number.POSITIVE_INFINITY) {
      checkRoom(maxTokens, marks, 'the special tokens of a prompt');
      const ids = tokenizer.encode(lead + text);
      const cut = Math.max(0, marks + ids.length - maxTokens);
      return { ids: Int32Array.from([...before, ...ids.subarray(cut), ...after]), truncated: cut > 0 };
    },
    conversation(prompt, answer, maxTokens = Number.POSITIVE_INFINITY) {
      checkRoom(maxTokens, marks + 1, 'the special tokens of a conversation and one token of its answer');
      const ids = tokenizer.encode(lead + prompt);
      const trained = [...tokenizer.encode(lead + answer), stopId];
      const excess = Math.max(0, marks + ids.length + trained.length - maxTokens);
      const kept = ids.subarray(Math.min(excess, ids.length));
      const opening = [...before, ...kept, ...after];
      return {
        ids: Int32Array.from([...opening, ...trained]).slice(0, maxTokens),
        answerStart: opening.length,
        truncated: excess > 0,
      };
    },
  };
}

/** `<|bos|><|user_start|>…<|user_end|><|assistant_start|>…<|assistant_end|>`, as nanochat's tokenizer.py renders it. */
function nanochat(tokenizer: Tokenizer): Marks | undefined {
  const ids = idsOf(tokenizer, [
    '<|bos|>',
    '<|user_start|>',
    '<|user_end|>',
    '<|assistant_start|>',
    '<|assistant_end|>',
  ]);
  if (!ids) return undefined;
  const [bos, userStart, userEnd, assistantStart, assistantEnd] = ids as [number, number, number, number, number];
  return {
    name: 'nanochat',
    before: [bos, userStart],
    after: [userEnd, assistantStart],
    stopId: assistantEnd,
    lead: '',
  };
}

/** `<|im_start|>user\n…<|im_end|>\n<|im_start|>assistant\n…<|im_end|>`. */
function chatMl(tokenizer: Tokenizer): Marks | undefined {
  const ids = idsOf(tokenizer, ['<|im_start|>', '<|im_end|>']);
  if (!ids) return undefined;
  const [start, end] = ids as [number, number];
  return {
    name: 'chatml',
    before: [start, ...tokenizer.encode('user\n')],
    after: [end, ...tokenizer.encode('\n'), start, ...tokenizer.encode('assistant\n')],
    stopId: end,
    lead: '',
  };
}

/** `User: …\n\nAssistant: …`. The space is encoded with the text: vocabularies hold words with the space before them. */
function plain(tokenizer: Tokenizer): Marks {
  const stopId = firstId(tokenizer, endNames);
  if (stopId === undefined) {
    throw new InputError(
      `the tokenizer has no token that ends an answer: neither those of a known chat format nor one of ${endNames.join(' ')}; add one of them as a special token`,
    );
  }
  const begin = firstId(tokenizer, beginNames);
  return {
    name: 'plain',
    before: [...(begin === undefined ? [] : [begin]), ...tokenizer.encode('User:')],
    after: [...tokenizer.encode('\n\nAssistant:')],
    stopId,
    lead: ' ',
  };
}

/** The ids of all names; undefined if one is missing. */
function idsOf(tokenizer: Tokenizer, names: readonly string[]): number[] | undefined {
  const ids = names.map((name) => tokenizer.specialId(name));
  return ids.every((id) => id !== undefined) ? ids : undefined;
}

function firstId(tokenizer: Tokenizer, names: readonly string[]): number | undefined {
  return names.map((name) => tokenizer.specialId(name)).find((id) => id !== undefined);
}

function checkRoom(maxTokens: number, needed: number, what: string): void {
  if (maxTokens >= needed && (Number.isInteger(maxTokens) || maxTokens === Number.POSITIVE_INFINITY)) return;
  throw new InvalidArgumentError(`maxTokens must be an integer ≥ ${needed} (${what}), got ${maxTokens}`);
}
