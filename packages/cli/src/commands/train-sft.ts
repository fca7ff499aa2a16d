import { command } from '../shell/command.js';
import { modelOption, outOption, trainOptions } from '../training/train-options.js';

export const trainSft = command({
  description: 'Fine-tune a language model on the chosen answers of preference pairs',
  example: 'rarefy train sft --pairs pairs.jsonl --model base --out out/sft',
  options: {
    ...trainOptions,
    ...outOption('sft'),
    ...modelOption,
    'batch-size': { type: 'integer', default: 16, min: 1, description: 'Conversations a step' },
    'learning-rate': {
      type: 'number',
      default: 1e-4,
      min: 0,
      description: 'Highest learning rate; warm-up, then cosine',
    },
  },
  async run(
    { pairs: file, out, maxSteps, seed, saveSteps, resume, backend: wanted, model: named, batchSize, learningRate },
    options,
  ) {
    const { digest } = await import('@rarefy/core');
    const { readPairs } = await import('@rarefy/data');
    const { chatFormat, learningRateSchedule, saveLanguageModel, shuffled, trainLanguageModel } = await import(
      '@rarefy/lm'
    );
    const { modelFolder, openBackend, openModel } = await import('../training/open-model.js');
    const { openRun } = await import('../training/open-run.js');
    const folder = await modelFolder(named);
    const backend = await openBackend(wanted, options);
    const loaded = await openModel(folder, options);
    const format = chatFormat(loaded.tokenizer);
    const { maxPositions } = loaded.model.description;
    const examples: { ids: Int32Array; firstTrained: number }[] = [];
    for await (const { prompt, chosen } of readPairs(file, options)) {
      const { ids, answerStart } = format.conversation(prompt, chosen, maxPositions);
      examples.push({ ids, firstTrained: answerStart });
    }
    const data = digest(examples.map(({ ids }) => Number.parseInt(digest(ids).slice(0, 8), 16)));
    const header = { pairs: file, model: loaded.folder, maxSteps, seed, batchSize, learningRate };
    const run = await openRun({
      ...options,
      out,
      resume,
      saveSteps,
      backend,
      stage: 'sft',
      options: header,
      shown: ['loss'],
    });
    try {
      await trainLanguageModel(loaded, {
        ...options,
        ...run,
        kind: 'sft',
        steps: maxSteps,
        learningRate,
        maxGradNorm: 1,
        schedule: learningRateSchedule('cosine', { warmupSteps: Math.floor(maxSteps / 10) }),
        examples: shuffled(examples, { batchSize, seed }),
        data: `${data}:${batchSize}:${seed}:${maxSteps}`,
      });
      await saveLanguageModel(out, loaded);
    } finally {
      await run.close();
    }
    console.log(`fine-tuned model in ${out}`);
  },
});
