import { sftOptions, trainSft } from '../runs/sft.js';
import { command } from '../shell/command.js';

export const trainSftCommand = command({
  description: 'Fine-tune a language model on the chosen answers of preference pairs',
  example: 'rarefy train sft --pairs pairs.jsonl --model base --out out/sft',
  options: sftOptions,
  async run(values, context) {
    await trainSft(values, context);
    console.log(`fine-tuned model in ${values.out}`);
  },
});
