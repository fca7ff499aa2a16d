import { type CallOptions, digest } from '@rarefy/core';
import type { ChatPrompt } from '@rarefy/tokenizers';
import { adapterOptions } from '../open/adapter.js';
import { chatOptions } from '../open/chat-options.js';
import { openOptimizer, optimizerOptions } from '../open/optimizer.js';
import { integer } from '../shell/define-option.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { modelOption, outOption, runTraining, trainOptions } from './run-training.js';

export const sftOptions = {
  ...trainOptions,
  ...outOption('sft'),
  ...modelOption,
  ...adapterOptions,
  ...chatOptions,
  ...under('Training', {
    'batch-size': integer('Conversations per step', { default: 16, min: 1 }),
    'micro-batch-size': integer('Conversations per forward pass; default --batch-size', { min: 1 }),
    'max-length': integer(
      'Largest number of tokens of a conversation; a longer one loses the beginning of its prompt, then the end of its answer. Default the positions of the model',
      { min: 8 },
    ),
  }),
  ...optimizerOptions({ learningRate: 1e-4, schedule: 'cosine', warmup: 'a tenth of --max-steps' }),
} as const satisfies OptionDefinitions;

/** Fine-tunes a model on the chosen answers. */
export async function trainSft(values: OptionValues<typeof sftOptions>, options: CallOptions): Promise<void> {
  const { chatFormat } = await import('@rarefy/tokenizers');
  const { answerExamples, concatenated, shuffled, trainLanguageModel } = await import('@rarefy/training');
  const { readPairs, transcriptMessages } = await import('@rarefy/data');
  const { modelFolder, openModel } = await import('../open/model.js');
  const { trainedModel } = await import('../open/adapter.js');
  const { maxSteps, seed, batchSize, microBatchSize, maxLength } = values;
  await runTraining(
    {
      stage: 'sft',
      values,
      shown: ['loss'],
      async open() {
        const opened = await openModel(await modelFolder(values.model), options, values.chatTemplate);
        const loaded = await trainedModel(opened, values);
        const conversations: { prompt: ChatPrompt; answer: string }[] = [];
        for await (const { prompt, chosen } of readPairs(values.pairs, options)) {
          conversations.push({ prompt: values.transcripts ? transcriptMessages(prompt) : prompt, answer: chosen });
        }
        const examples = answerExamples(conversations, {
          format: chatFormat(loaded.tokenizer),
          maxTokens: Math.min(maxLength ?? Infinity, loaded.model.description.maxPositions),
        });
        const settings = { ...values, model: loaded.folder };
        return { loaded, examples, settings, dispose: () => loaded.model.dispose() };
      },
      async task({ loaded, examples }, trainer) {
        const rows = examples.map(({ ids }) => ids);
        const lengths = digest(rows.map(({ length }) => length)); // the same tokens cut into other rows are other data
        return trainLanguageModel(loaded, {
          ...trainer,
          ...(await openOptimizer(values, Math.floor(maxSteps / 10))),
          ...(microBatchSize !== undefined && { microBatchSize }),
          kind: 'sft',
          steps: maxSteps,
          examples: shuffled(examples, { batchSize, seed }),
          data: `${digest(concatenated(rows), lengths)}:${batchSize}:${seed}:${maxSteps}`,
        });
      },
    },
    options,
  );
}
