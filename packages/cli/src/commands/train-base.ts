import { baseOptions, trainBase } from '../runs/base.js';
import { command } from '../shell/command.js';

export const trainBaseCommand = command({
  description: 'Pretrain a small Llama-style language model and its tokenizer on the text of preference pairs',
  example: 'rarefy train base --pairs pairs.jsonl --max-steps 500 --out out/base',
  options: baseOptions,
  async run(values, context) {
    await trainBase(values, context);
    console.log(`base model in ${values.out}`);
  },
});
