import { rewardModelOptions, trainRm } from '../runs/reward-model.js';
import { command } from '../shell/command.js';

export const trainRmCommand = command({
  description: 'Train a reward model on preference pairs with the Bradley-Terry loss',
  example: 'rarefy train rm --pairs pairs.jsonl --max-steps 200 --out out/rm',
  options: rewardModelOptions,
  async run(values, context, given) {
    const { pairs, tooLong, steps, step, evaluation } = await trainRm(values, context, given);
    const share = ((100 * pairs) / (pairs + tooLong)).toFixed(1);
    const leftOut = tooLong > 0 ? `, the ${share} % that fit (${tooLong} are too long)` : '';
    console.log(`reward model in ${values.out}, trained on ${pairs} pairs${leftOut}`);
    if (evaluation === undefined) return;
    const percent = (value: number) => (100 * value).toFixed(1);
    const [low, high] = evaluation.accuracyInterval.map(percent);
    const unfit = evaluation.tooLong > 0 ? ` (${evaluation.tooLong} more are too long)` : '';
    console.log(
      `${percent(evaluation.accuracy)} % of ${evaluation.pairs} held-out pairs${unfit} ranked right after step ${step} of ${steps}; 95 % interval ${low} to ${high} %`,
    );
  },
});
