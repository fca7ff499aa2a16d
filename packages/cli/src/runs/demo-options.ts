import { backendOption } from '../open/backend.js';
import type { OptionDefinitions } from '../shell/options.js';

export const demoOptions = {
  pairs: {
    type: 'text',
    valueHint: 'file',
    description: 'JSON Lines of pairs; default the sample that comes with rarefy',
  },
  out: {
    type: 'text',
    valueHint: 'folder',
    default: 'out/demo',
    description: 'Folder of the results; results of an earlier demo in it are replaced',
  },
  'max-steps': { type: 'integer', default: 16, min: 1, description: 'GRPO steps of each arm' },
  'target-ess': {
    type: 'number',
    default: 0.5,
    description: 'Effective sample size of the density-aware arm, as a share of the prompts',
  },
  seed: { type: 'integer', default: 1, description: 'The same seed and backend give the same figures' },
  ...backendOption,
} as const satisfies OptionDefinitions;
