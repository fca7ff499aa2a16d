import { described, InvalidArgumentError } from '@rarefy/core';
import { joined } from './special-tokens.js';

/** One turn of a conversation, as in Hugging Face's and OpenAI's lists of messages. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or another role that the chat template knows. */
  readonly role: string;
  readonly content: string;
}

/** What an answer is given to: the text of one user turn, or turns that end with one of the user. */
export type ChatPrompt = string | readonly ChatMessage[];

interface PromptTokens {
  readonly ids: Int32Array;
  /** Whether text was cut to fit `maxTokens`. */
  readonly truncated: boolean;
}

interface ConversationTokens extends PromptTokens {
  /** Index of the first trained id: the answer and the stop token start here. */
  readonly answerStart: number;
}

/** How an exchange of user and assistant is written in tokens. Text never becomes a special token; special tokens are never cut. */
export interface ChatFormat {
  /**
   * Identifies the format in the fingerprints of embedders and in the settings of checkpoints: formats that write other tokens
   * need other names.
   */
  readonly name: string;
  /** The token that ends an answer in training. */
  readonly stopId: number;
  /** All tokens that end an answer when it is generated. Default: `stopId` alone. */
  readonly stopIds?: readonly number[];
  /**
   * The prompt, up to where the answer of the assistant begins. What is too long loses its beginning: first the oldest turns, whole
   * and without those of the system, then the beginning of the last text.
   * @param maxTokens most ids of the result; default: no limit
   * @throws InvalidArgumentError if `maxTokens` leaves no room for the special tokens, or the messages do not end with one of the
   *   user; InputError if the chat template refuses the messages.
   */
  prompt(prompt: ChatPrompt, maxTokens?: number): PromptTokens;
  /**
   * The prompt, the answer and the stop token. If this is too long, the prompt loses its beginning; if that is not enough, the
   * answer loses its end, including the stop token.
   * @param maxTokens most ids of the result; default: no limit
   * @throws InvalidArgumentError if `maxTokens` leaves no room for the special tokens and one id of the answer; otherwise as
   *   `prompt`.
   */
  conversation(prompt: ChatPrompt, answer: string, maxTokens?: number): ConversationTokens;
}

/** The ids of a prompt. Only those of `text` may be cut, from their beginning. */
export interface WrittenPrompt {
  readonly before: Int32Array;
  readonly text: Int32Array;
  readonly after: Int32Array;
}

/** What differs between formats. */
export interface ChatWriter {
  readonly name: string;
  readonly stopId: number;
  readonly stopIds: readonly number[];
  /** Ids of messages that end with one of the user, up to where the answer begins. */
  write(messages: readonly ChatMessage[]): Int32Array;
  /** The same ids, or nearly, in parts. */
  writeParts(messages: readonly ChatMessage[]): WrittenPrompt;
  /** Ids of an answer to these messages, without the stop token. */
  answer(text: string, messages: readonly ChatMessage[]): Int32Array;
}

/** A format from what differs between formats. */
export function formatOf(writer: ChatWriter): ChatFormat {
  const { name, stopId, stopIds } = writer;
  return {
    name,
    stopId,
    stopIds,
    prompt(prompt, maxTokens = Number.POSITIVE_INFINITY) {
      checkLimit(maxTokens);
      const fitted = fit(writer, checkedMessages(prompt), maxTokens);
      checkRoom(maxTokens, fitted.ids.length, 'the special tokens of this prompt');
      return fitted;
    },
    conversation(prompt, answer, maxTokens = Number.POSITIVE_INFINITY) {
      checkLimit(maxTokens);
      const messages = checkedMessages(prompt);
      const trained = joined([writer.answer(answer, messages), Int32Array.of(stopId)]);
      const opening = fit(writer, messages, maxTokens - trained.length);
      const answerStart = opening.ids.length;
      checkRoom(maxTokens, answerStart + 1, 'the special tokens of this conversation and one token of its answer');
      const ids = joined([opening.ids, trained]);
      const isCut = ids.length > maxTokens;
      return { ids: isCut ? ids.slice(0, maxTokens) : ids, answerStart, truncated: opening.truncated || isCut };
    },
  };
}

/** The prompt in at most `limit` ids, or all that may not be cut if that is more. */
function fit(writer: ChatWriter, messages: readonly ChatMessage[], limit: number): PromptTokens {
  const whole = writer.write(messages);
  if (whole.length <= limit) return { ids: whole, truncated: false };
  const shorter = withoutOldTurns(messages);
  // The longest of the shorter conversations that fits, by bisection: `shorter` is in order of length.
  let [fitting, low, high]: [Int32Array | undefined, number, number] = [undefined, 0, shorter.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const ids = writer.write(shorter[middle]!);
    if (ids.length <= limit) [fitting, high] = [ids, middle];
    else low = middle + 1;
  }
  if (fitting !== undefined) return { ids: fitting, truncated: true };
  const { before, text, after } = writer.writeParts(shorter.at(-1) ?? messages);
  const excess = before.length + text.length + after.length - limit;
  const cut = Math.min(text.length, Math.max(0, excess));
  return { ids: joined([before, text.subarray(cut), after]), truncated: true };
}

/** The messages without the first turns, then without more, down to the last of the user. Those of the system at the start stay. */
function withoutOldTurns(messages: readonly ChatMessage[]): ChatMessage[][] {
  const first = messages.findIndex(({ role }) => role !== 'system');
  const system = messages.slice(0, first);
  return messages.flatMap(({ role }, index) =>
    role === 'user' && index > first ? [[...system, ...messages.slice(index)]] : [],
  );
}

/** @throws InvalidArgumentError if the prompt is neither a text nor messages that end with one of the user. */
function checkedMessages(prompt: ChatPrompt): readonly ChatMessage[] {
  if (typeof prompt === 'string') return [{ role: 'user', content: prompt }];
  if (!Array.isArray(prompt)) {
    throw new InvalidArgumentError(`a prompt must be a text or a list of messages, got ${described(prompt)}`);
  }
  const bad = prompt.findIndex(
    (message: unknown) =>
      typeof (message as ChatMessage | null)?.role !== 'string' || typeof (message as ChatMessage).content !== 'string',
  );
  if (bad >= 0) {
    throw new InvalidArgumentError(`message ${bad} of a prompt must be { role, content } of texts`);
  }
  const last = (prompt as readonly ChatMessage[]).at(-1)?.role;
  if (last !== 'user') {
    throw new InvalidArgumentError(
      `a prompt must end with a message of the role user, got ${last === undefined ? 'no messages' : JSON.stringify(last)}`,
    );
  }
  return [...(prompt as readonly ChatMessage[])];
}

/**
 * A prompt as one text, for rewards and logs: a text as it is, one message as its content, several as `role: content` with a blank
 * line between them.
 */
export function promptText(prompt: ChatPrompt): string {
  if (typeof prompt === 'string') return prompt;
  if (prompt.length === 1) return prompt[0]!.content;
  return prompt.map(({ role, content }) => `${role}: ${content}`).join('\n\n');
}

/** @throws InvalidArgumentError if `format` is not a chat format, such as the name of one. */
export function checkChatFormat(format: unknown, where: string): void {
  const { name, stopId, prompt, conversation } = Object(format) as Record<string, unknown>;
  const hasFunctions = typeof prompt === 'function' && typeof conversation === 'function';
  if (typeof name === 'string' && Number.isInteger(stopId) && hasFunctions) return;
  throw new InvalidArgumentError(
    `${where} needs \`format\` to be a chat format, with name, stopId, prompt and conversation, got ${described(format)}; give chatFormat(tokenizer), or leave it out`,
  );
}

function checkLimit(maxTokens: number): void {
  if (Number.isInteger(maxTokens) || maxTokens === Number.POSITIVE_INFINITY) return;
  throw new InvalidArgumentError(`maxTokens must be an integer, got ${maxTokens}`);
}

function checkRoom(maxTokens: number, needed: number, what: string): void {
  if (maxTokens >= needed) return;
  throw new InvalidArgumentError(`maxTokens must be an integer ≥ ${needed} (${what}), got ${maxTokens}`);
}
