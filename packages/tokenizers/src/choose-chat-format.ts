import { checkOptions } from '@rarefy/core';
import type { ChatFormat } from './chat-format.js';
import { nanochatFormat, plainFormat } from './mark-formats.js';
import { templateFormat } from './template-format.js';
import type { Tokenizer } from './tokenizer.js';

export interface ChatFormatOptions {
  /** Source of a chat template, in Jinja; default: that of the model. */
  readonly template?: string;
  /** Further variables of the template, as JSON values, such as `{ enable_thinking: false }` for Qwen3. Default: none. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /**
   * The date that a template sees. Default 2024-07-26, the date that Llama 3.2 writes if it has no clock: a run of today must give
   * the prompts of a run of yesterday.
   */
  readonly date?: Date;
}

const optionNames = ['template', 'variables', 'date'] satisfies (keyof ChatFormatOptions)[];

/**
 * The chat format of a model. With a chat template, it writes the ids of transformers' `apply_chat_template`, and the template adds
 * its default system prompt itself. Without a template it is nanochat's if the tokenizer has nanochat's special tokens, else plain
 * text: `User: …` and `Assistant: …`, ended by the end-of-text token. Deterministic.
 * @throws InputError if the template cannot be compiled, fails on one user turn or leaves its text out, or no token ends an answer;
 *   InvalidArgumentError if an option is unknown.
 */
export function chatFormat(tokenizer: Tokenizer, options: ChatFormatOptions = {}): ChatFormat {
  checkOptions(options, optionNames, 'chatFormat');
  const { template = tokenizer.chat?.template, variables = {}, date = new Date(Date.UTC(2024, 6, 26)) } = options;
  if (template !== undefined) return templateFormat(tokenizer, { template, variables, date });
  return nanochatFormat(tokenizer) ?? plainFormat(tokenizer);
}
