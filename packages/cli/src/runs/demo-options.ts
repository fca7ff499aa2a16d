import { backendOption } from '../open/backend.js';
import { integer, number, text } from '../shell/define-option.js';
import type { OptionDefinitions } from '../shell/options.js';

export const demoOptions = {
  pairs: text('file', 'JSON Lines of pairs; default the sample that comes with rarefy'),
  out: text('folder', 'Folder of the results; results of an earlier demo in it are replaced', { default: 'out/demo' }),
  'max-steps': integer('GRPO steps of each arm', { default: 16, min: 1 }),
  'target-ess': number('Effective sample size of the density-aware arm, as a share of the prompts', { default: 0.5 }),
  seed: integer('The same seed and backend give the same figures', { default: 1 }),
  ...backendOption,
} as const satisfies OptionDefinitions;
