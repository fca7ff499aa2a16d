import { InputError } from '@rarefy/core';
import { type ChatFormat, type ChatMessage, formatOf, type WrittenPrompt } from './chat-format.js';
import { joined } from './special-tokens.js';
import type { Tokenizer } from './tokenizer.js';

/** A format that puts fixed ids around each text. */
interface Marks {
  readonly name: string;
  readonly begin: readonly number[];
  /** Ids before and after the text of a message. */
  readonly around: (
    role: string,
    index: number,
  ) => { readonly before: readonly number[]; readonly after: readonly number[] };
  /** Ids after the last message, where the answer begins. */
  readonly answer: readonly number[];
  readonly stopId: number;
  /** Text put before every text. */
  readonly lead: string;
  /** Messages as the format knows them. */
  readonly messages: (messages: readonly ChatMessage[]) => readonly ChatMessage[];
}

const beginNames = ['<|begin_of_text|>', '<s>', '<bos>', '<|bos|>'];
const endNames = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>', '<|eos|>', '<｜end▁of▁sentence｜>'];

/**
 * `<|bos|>`, then `<|user_start|>…<|user_end|>` and `<|assistant_start|>…<|assistant_end|>` in turn, as nanochat's tokenizer.py
 * renders conversations. The text of the system goes before that of the user. Undefined if the tokenizer lacks one of these tokens.
 */
export function nanochatFormat(tokenizer: Tokenizer): ChatFormat | undefined {
  const names = ['<|bos|>', '<|user_start|>', '<|user_end|>', '<|assistant_start|>', '<|assistant_end|>'];
  const ids = names.map((name) => tokenizer.specialId(name));
  if (!ids.every((id) => id !== undefined)) return undefined;
  const [bos, userStart, userEnd, assistantStart, assistantEnd] = ids as [number, number, number, number, number];
  return formatOfMarks(tokenizer, {
    name: 'nanochat',
    begin: [bos],
    around: (role) =>
      role === 'assistant'
        ? { before: [assistantStart], after: [assistantEnd] }
        : { before: [userStart], after: [userEnd] },
    answer: [assistantStart],
    stopId: assistantEnd,
    lead: '',
    messages: systemIntoUser,
  });
}

/**
 * `User: …` and `Assistant: …` with a blank line between them, for a model without a format of its own. The space is encoded with
 * the text: vocabularies hold words with the space before them.
 * @throws InputError if the tokenizer has no token that can end an answer.
 */
export function plainFormat(tokenizer: Tokenizer): ChatFormat {
  const stopId = firstId(tokenizer, endNames) ?? tokenizer.chat?.stopIds?.[0];
  if (stopId === undefined) {
    throw new InputError(
      `the tokenizer has no token that ends an answer: neither a chat template, nor nanochat's tokens, nor one of ${endNames.join(' ')}; add one of them as a special token`,
    );
  }
  const begin = firstId(tokenizer, beginNames);
  const encode = (text: string) => Array.from(tokenizer.encode(text));
  return formatOfMarks(tokenizer, {
    name: 'plain',
    begin: begin === undefined ? [] : [begin],
    around(role, index) {
      const name = `${role.charAt(0).toUpperCase()}${role.slice(1)}:`;
      return { before: encode(index === 0 ? name : `\n\n${name}`), after: [] };
    },
    answer: encode('\n\nAssistant:'),
    stopId,
    lead: ' ',
    messages: (messages) => messages,
  });
}

function formatOfMarks(tokenizer: Tokenizer, marks: Marks): ChatFormat {
  const { name, begin, around, answer, stopId, lead } = marks;
  const writeParts = (given: readonly ChatMessage[]): WrittenPrompt => {
    const messages = marks.messages(given);
    const earlier = messages.slice(0, -1).flatMap(({ role, content }, index) => {
      const { before, after } = around(role, index);
      return [...before, ...tokenizer.encode(lead + content), ...after];
    });
    const last = messages.at(-1)!;
    const { before, after } = around(last.role, messages.length - 1);
    return {
      before: Int32Array.from([...begin, ...earlier, ...before]),
      text: tokenizer.encode(lead + last.content),
      after: Int32Array.from([...after, ...answer]),
    };
  };
  return formatOf({
    name,
    stopId,
    stopIds: [...new Set([stopId, ...(tokenizer.chat?.stopIds ?? [])])],
    writeParts,
    write(messages) {
      const { before, text, after } = writeParts(messages);
      return joined([before, text, after]);
    },
    answer: (text) => tokenizer.encode(lead + text),
  });
}

function systemIntoUser(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const [system, user, ...rest] = messages;
  if (system?.role !== 'system' || user === undefined) return messages;
  return [{ role: user.role, content: `${system.content}\n\n${user.content}` }, ...rest];
}

function firstId(tokenizer: Tokenizer, names: readonly string[]): number | undefined {
  return names.map((name) => tokenizer.specialId(name)).find((id) => id !== undefined);
}
