import { rewardModelOptions, trainRm } from '../runs/reward-model.js';
import { command } from '../shell/command.js';

export const trainRmCommand = command({
  description: 'Train a reward model on preference pairs with the Bradley-Terry loss',
  example: 'rarefy train rm --pairs pairs.jsonl --max-steps 200 --out out/rm',
  options: rewardModelOptions,
  async run(values, context, given) {
    const { pairs, tooLong } = await trainRm(values, context, given);
    const leftOut = tooLong > 0 ? `; ${tooLong} pairs were too long and were left out` : '';
    console.log(`reward model in ${values.out}, trained on ${pairs} pairs${leftOut}`);
  },
});
