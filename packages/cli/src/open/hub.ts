import type { OptionDefinitions } from '../shell/options.js';

/** Where a command downloads from. */
export const hubOptions = {
  endpoint: {
    type: 'text',
    valueHint: 'url',
    description: 'Address of the hub; default HF_ENDPOINT, or https://huggingface.co',
  },
  revision: { type: 'text', valueHint: 'name', description: 'Branch, tag or commit; default main' },
} as const satisfies OptionDefinitions;
