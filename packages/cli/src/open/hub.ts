import { text } from '../shell/define-option.js';
import type { OptionDefinitions } from '../shell/options.js';

/** Where a command downloads from. */
export const hubOptions = {
  endpoint: text('url', 'Address of the hub; default HF_ENDPOINT, or https://huggingface.co'),
  revision: text('name', 'Branch, tag or commit; default main'),
} as const satisfies OptionDefinitions;
