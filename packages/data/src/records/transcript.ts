import { BadLine } from '@rarefy/io';
import { type Fields, toAnswer } from './fields.js';

/** One turn of a conversation, without its mark and surrounding white space. */
export interface Turn {
  readonly role: 'human' | 'assistant';
  readonly text: string;
}

/** A prompt, which may be several turns, and the answer to it. */
export interface Exchange {
  readonly prompt: string;
  readonly answer: string;
}

const mark = /(?:^|\n\n)(Human|Assistant):/g;
const maxTurns = 10_000; // a line of 16 MB can have a million marks

/**
 * The turns of a transcript in the format of Anthropic's hh-rlhf: `\n\nHuman: …\n\nAssistant: …`. A mark counts only at the start
 * and after a blank line. Returns undefined if the text does not begin with a mark, or has more than 10,000.
 */
export function transcriptTurns(text: string): Turn[] | undefined {
  const marks: RegExpExecArray[] = [];
  for (const found of text.matchAll(mark)) if (marks.push(found) > maxTurns) return undefined;
  if (marks.length === 0 || text.slice(0, marks[0]!.index).trim() !== '') return undefined;
  return marks.map((found, index) => ({
    role: found[1] === 'Human' ? 'human' : 'assistant',
    text: text.slice(found.index + found[0].length, marks[index + 1]?.index).trim(),
  }));
}

/**
 * The last answer of a transcript, and everything before it; undefined if the transcript does not end with an answer to a prompt.
 */
export function promptAndAnswer(text: string): Exchange | undefined {
  const turns = transcriptTurns(text);
  const last = turns?.at(-1);
  if (last?.role !== 'assistant' || turns!.length < 2) return undefined;
  return { prompt: promptOf(turns!.slice(0, -1)), answer: last.text };
}

/** A turn in the roles of chat templates, as `@rarefy/lm` takes them. */
export interface TranscriptMessage {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/**
 * A prompt as messages: the turns of a transcript, or one turn of the user if the text is no transcript that ends with `Human:`.
 * Read only data sets of transcripts with it: in a text that a user wrote, `\n\nAssistant:` would begin a turn of the assistant.
 */
export function transcriptMessages(text: string): readonly TranscriptMessage[] {
  const turns = transcriptTurns(text);
  if (turns?.at(-1)?.role !== 'human') return [{ role: 'user', content: text }];
  return turns.map(({ role, text: content }) => ({ role: role === 'human' ? 'user' : role, content }));
}

/** Turns as one text. A single human turn has no mark. */
export function promptOf(turns: readonly Turn[]): string {
  if (turns.length === 1 && turns[0]!.role === 'human') return turns[0]!.text;
  return turns.map(({ role, text }) => `${role === 'human' ? 'Human' : 'Assistant'}: ${text}`).join('\n\n');
}

/** The exchange in a field: a transcript, or a list of messages. @throws BadLine if it has none. */
export function exchangeIn(fields: Fields, name: string): Exchange {
  if (Array.isArray(fields[name])) {
    return { prompt: promptOf(messagesIn(fields, name).slice(0, -1)), answer: lastMessage(fields, name) };
  }
  const found = promptAndAnswer(toAnswer(fields, name));
  if (found === undefined || found.prompt.trim() === '') {
    throw new BadLine('no-prompt', `${name} is not a transcript of Human and Assistant turns that ends with an answer`);
  }
  return found;
}

/** The last message of a field, which must be the assistant's. @throws BadLine otherwise. */
export function lastMessage(fields: Fields, name: string): string {
  const last = messagesIn(fields, name).at(-1);
  if (last?.role === 'assistant') return last.text;
  throw new BadLine('no-answer', `${name} does not end with a message of the assistant`);
}

/** The turns of a field with a list of `{ role, content }`; every role but `assistant` counts as human. @throws BadLine */
export function messagesIn(fields: Fields, name: string): Turn[] {
  const list: readonly unknown[] = Array.isArray(fields[name]) ? (fields[name] as readonly unknown[]) : [];
  return list.map((entry) => {
    const { role, content } = (entry ?? {}) as { role?: unknown; content?: unknown };
    if (typeof content !== 'string') {
      throw new BadLine('no-answer', `${name} must be a list of messages with string content`);
    }
    return { role: role === 'assistant' ? 'assistant' : 'human', text: content };
  });
}

/** Whether a value is a non-empty list of messages. */
export function areMessages(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry?.content === 'string');
}
