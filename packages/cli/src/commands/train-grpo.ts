import { grpoOptions, trainPolicy } from '../runs/grpo.js';
import { command } from '../shell/command.js';
import { percent } from '../shell/text.js';

export const trainGrpoCommand = command({
  description:
    'Train a policy with GRPO on the prompts of preference pairs; --density-aware draws rare prompts more often',
  example: 'rarefy train grpo --pairs pairs.jsonl --density-aware --target-ess 0.5 --max-steps 200',
  options: grpoOptions,
  async run(values, context, given) {
    const { rareShare } = await trainPolicy(values, context, given);
    const draws = rareShare === undefined ? '' : `; the 10 % rarest prompts got ${percent(rareShare)} of the draws`;
    console.log(`policy in ${values.out}${draws}`);
  },
});
