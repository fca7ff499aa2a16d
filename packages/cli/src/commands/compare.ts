import { compareArms, compareOptions } from '../runs/compare.js';
import { command } from '../shell/command.js';

export const compare = command({
  description:
    'Compare ways of training on several seeds each, and report what can be concluded. To continue after a stop, repeat the command: no run is trained twice',
  example: 'rarefy compare --pairs pairs.jsonl --reward length --seeds 4 --max-steps 40',
  argument: 'experiment',
  options: compareOptions,
  run: compareArms,
});
