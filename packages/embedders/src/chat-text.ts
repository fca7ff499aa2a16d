import type { Embedder, TokenCountingEmbedder } from '@rarefy/core';
import type { ChatPrompt } from '@rarefy/tokenizers';

/** A prompt, or a prompt with its answer. The prompt of an object may be a list of messages. */
export type ChatText = string | { readonly prompt: ChatPrompt; readonly assistant?: string };

/**
 * Lets an embedder of plain texts take prompts with answers: it reads the plain prompt, and the answer after a blank line. Messages
 * are separated in the same way. Fingerprint and rows of plain texts stay the same, and disposing it disposes `embedder`.
 */
export function chatEmbedder(embedder: TokenCountingEmbedder<string>): TokenCountingEmbedder<ChatText>;
export function chatEmbedder(embedder: Embedder<string>): Embedder<ChatText>;
export function chatEmbedder(embedder: Embedder<string> & Partial<TokenCountingEmbedder<string>>): Embedder<ChatText> {
  const { specificationVersion, kind, fingerprint, capabilities, countTokens } = embedder;
  return {
    ...{ specificationVersion, kind, fingerprint, capabilities },
    embedBatch: (texts, options) => embedder.embedBatch(texts.map(plain), options),
    ...(countTokens && { countTokens: (texts: readonly ChatText[]) => countTokens.call(embedder, texts.map(plain)) }),
    [Symbol.asyncDispose]: () => embedder[Symbol.asyncDispose](),
  };
}

const plain = (text: ChatText) =>
  typeof text === 'string' ? text : [textOf(text.prompt), text.assistant].filter(Boolean).join('\n\n');

const textOf = (prompt: ChatPrompt) =>
  typeof prompt === 'string' ? prompt : prompt.map(({ content }) => content).join('\n\n');
