import { flag, text } from '../shell/define-option.js';
import { type OptionDefinitions, under } from '../shell/options.js';

export const chatTemplateOption = {
  'chat-template': text(
    'file.jinja',
    'Chat template of the language model; default its own. A trained model is saved with it',
  ),
} as const satisfies OptionDefinitions;

/** Options of the commands that train on prompts: how a language model reads them. */
export const chatOptions = {
  ...under('Data', {
    transcripts: flag(
      'Read prompts of Human: and Assistant: turns, as in hh-rlhf, as turns of a conversation; by default such a prompt is one text',
    ),
  }),
  ...under('Model', chatTemplateOption),
} as const satisfies OptionDefinitions;
