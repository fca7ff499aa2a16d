import { checkOptions } from '@rarefy/core';
import { BadLine, type JsonlOptions, jsonlOptionNames } from '@rarefy/io';
import { type Fields, readRecords, toAnswer, toId, toPrompt, toSource } from './fields.js';
import { promptAndAnswer, promptOf, transcriptTurns } from './transcript.js';

/** A prompt and, if known, the assistant's answer. */
export interface Conversation {
  readonly id: string;
  readonly prompt: string;
  readonly assistant?: string;
  readonly src?: string;
}

/**
 * Conversations of a JSON Lines file, in order. A line has `prompt` and `assistant`, or a `transcript` of `Human:` and
 * `Assistant:` turns, whose last answer becomes `assistant` and the turns before it the prompt. A null `assistant` or `src`
 * counts as absent. Ids are handled as in readPairs.
 * @throws what readJsonl throws; InputError if the file has no conversations.
 */
export function readConversations(
  source: string,
  options: JsonlOptions = {},
): AsyncGenerator<Conversation, void, undefined> {
  checkOptions(options, jsonlOptionNames, 'readConversations');
  return readRecords(source, 'conversations', toConversation, options);
}

function toConversation(fields: Fields, line: number): Conversation {
  return {
    id: toId(fields, line),
    ...exchangeOf(fields),
    ...((fields.src ?? null) === null ? {} : { src: toSource(fields) }),
  };
}

function exchangeOf(fields: Fields): Pick<Conversation, 'prompt' | 'assistant'> {
  if (fields.prompt === undefined && typeof fields.transcript === 'string') {
    const { prompt, answer } = transcriptOf(fields.transcript);
    return answer === undefined ? { prompt } : { prompt, assistant: answer };
  }
  const assistant = (fields.assistant ?? null) === null ? {} : { assistant: toAnswer(fields, 'assistant') };
  return { prompt: toPrompt(fields), ...assistant };
}

function transcriptOf(text: string): { readonly prompt: string; readonly answer?: string } {
  const whole = promptAndAnswer(text);
  if (whole) return whole;
  const turns = transcriptTurns(text);
  if (turns?.at(-1)?.role === 'human') return { prompt: toPrompt({ prompt: promptOf(turns) }) };
  throw new BadLine('no-prompt', 'transcript is not a sequence of turns that begins with Human:');
}
