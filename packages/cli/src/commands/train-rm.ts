import { command } from '../shell/command.js';
import { modelOption, outOption, trainOptions } from '../training/train-options.js';

export const trainRm = command({
  description: 'Train a reward model on preference pairs with the Bradley-Terry loss',
  example: 'rarefy train rm --pairs pairs.jsonl --max-steps 200 --out out/rm',
  options: {
    ...trainOptions,
    ...outOption('rm'),
    ...modelOption,
    'batch-size': { type: 'integer', default: 16, min: 1, description: 'Pairs a step' },
    'learning-rate': { type: 'number', default: 1e-4, min: 0, description: 'Learning rate' },
    'max-length': {
      type: 'integer',
      min: 8,
      description: "Pairs with a longer text, in tokens, are left out; default the model's positions",
    },
    'center-rewards-coefficient': { type: 'number', default: 0.01, min: 0, description: 'Keeps rewards around 0' },
  },
  async run(
    { pairs: file, out, maxSteps, seed, saveSteps, resume, backend: wanted, model: named, maxLength, ...values },
    options,
  ) {
    const { trainRewardModel } = await import('@rarefy/grpo');
    const { readPairs } = await import('@rarefy/data');
    const { rewardModel, saveLanguageModel } = await import('@rarefy/lm');
    const { modelFolder, openBackend, openModel } = await import('../training/open-model.js');
    const { openRun } = await import('../training/open-run.js');
    const folder = await modelFolder(named);
    const backend = await openBackend(wanted, options);
    const loaded = await openModel(folder, options);
    const pairs = [];
    for await (const pair of readPairs(file, options)) pairs.push(pair);
    const reward = rewardModel(loaded.model, loaded.extra);
    const header = { pairs: file, model: loaded.folder, maxSteps, seed, maxLength, ...values };
    const shown = ['loss', 'accuracy', 'margin'];
    const run = await openRun({ ...options, out, resume, saveSteps, backend, stage: 'rm', options: header, shown });
    try {
      const length = maxLength === undefined ? {} : { maxLength };
      const result = await trainRewardModel(loaded, reward, pairs, {
        ...options,
        ...run,
        ...values,
        ...length,
        steps: maxSteps,
        seed,
      });
      await saveLanguageModel(out, { ...loaded, extra: await reward.head() });
      const left = result.tooLong > 0 ? `; ${result.tooLong} pairs were too long and left out` : '';
      console.log(`reward model in ${out}, trained on ${result.pairs} pairs${left}`);
    } finally {
      await run.close();
    }
  },
});
