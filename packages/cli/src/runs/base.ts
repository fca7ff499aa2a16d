import { type CallOptions, digest, InvalidArgumentError } from '@rarefy/core';
import { openOptimizer, optimizerOptions } from '../open/optimizer.js';
import { integer } from '../shell/define-option.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { outOption, runTraining, trainOptions } from './run-training.js';

export const baseOptions = {
  ...trainOptions,
  ...outOption('base'),
  ...under('Model', {
    'vocabulary-size': integer('Tokens of the byte-pair tokenizer', { default: 1024, min: 300 }),
    'hidden-size': integer('Width of the model', { default: 128, min: 8 }),
    'intermediate-size': integer('Width inside the feed-forward blocks', { default: 352, min: 8 }),
    layers: integer('Number of layers', { default: 4, min: 1 }),
    heads: integer('Query heads; --hidden-size must be a multiple of twice this number', { default: 4, min: 1 }),
    'key-value-heads': integer('Key and value heads; must divide --heads', { default: 2, min: 1 }),
    'max-positions': integer('Longest text, in tokens', { default: 256, min: 16 }),
  }),
  ...under('Training', {
    'batch-size': integer('Rows per step', { default: 32, min: 1 }),
    'row-length': integer('Tokens per row', { default: 128, min: 2 }),
    'micro-batch-size': integer('Rows per forward pass; default --batch-size', { min: 1 }),
  }),
  ...optimizerOptions({
    ...{ learningRate: 1e-3, schedule: 'cosine', weightDecay: 0.1, beta2: 0.95 },
    warmup: 'a tenth of --max-steps, at most 50',
  }),
} as const satisfies OptionDefinitions;

type BaseValues = OptionValues<typeof baseOptions>;

/** Trains a tokenizer and a model from scratch, on both answers of every pair as one long row of conversations. */
export async function trainBase(values: BaseValues, options: CallOptions): Promise<void> {
  checkSizes(values);
  const { initialWeights, languageModel } = await import('@rarefy/lm');
  const { chatFormat, trainBytePairTokenizer } = await import('@rarefy/tokenizers');
  const { concatenated, trainLanguageModel, windows } = await import('@rarefy/training');
  const { readPairs } = await import('@rarefy/data');
  const { maxSteps, seed, batchSize, rowLength, microBatchSize } = values;
  await runTraining(
    {
      stage: 'base',
      values,
      shown: ['loss', 'learning_rate'],
      async open() {
        const conversations: { prompt: string; answer: string }[] = [];
        for await (const { prompt, chosen, rejected } of readPairs(values.pairs, options)) {
          conversations.push({ prompt, answer: chosen }, { prompt, answer: rejected });
        }
        const texts = conversations.flatMap(({ prompt, answer }) => [prompt, answer]);
        const tokenizer = trainBytePairTokenizer(texts, { vocabularySize: values.vocabularySize });
        const format = chatFormat(tokenizer);
        const config = llamaConfig(values, {
          vocab_size: tokenizer.vocabularySize,
          bos_token_id: tokenizer.specialId('<|bos|>'),
          eos_token_id: format.stopId,
        });
        const model = languageModel(config, initialWeights(config, seed));
        const corpus = concatenated(conversations.map(({ prompt, answer }) => format.conversation(prompt, answer).ids));
        return { loaded: { model, tokenizer, config }, corpus, settings: values, dispose: () => model.dispose() };
      },
      task: async ({ loaded, corpus }, trainer) =>
        trainLanguageModel(loaded, {
          ...trainer,
          ...(await openOptimizer(values, Math.min(50, Math.floor(maxSteps / 10)))),
          ...defined({ microBatchSize }),
          kind: 'base',
          steps: maxSteps,
          examples: windows(corpus, { length: rowLength, batchSize, seed }),
          data: `${digest(corpus)}:${rowLength}:${batchSize}:${seed}:${maxSteps}`,
        }),
    },
    options,
  );
}

function llamaConfig(values: BaseValues, tokens: Readonly<Record<string, number | undefined>>) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: values.hiddenSize,
    intermediate_size: values.intermediateSize,
    num_hidden_layers: values.layers,
    num_attention_heads: values.heads,
    num_key_value_heads: values.keyValueHeads,
    max_position_embeddings: values.maxPositions,
    hidden_act: 'silu',
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
    ...tokens,
  };
}

function checkSizes({ hiddenSize, heads, keyValueHeads, rowLength, maxPositions }: BaseValues): void {
  if (hiddenSize % (2 * heads) !== 0)
    throw new InvalidArgumentError(`--hidden-size ${hiddenSize} must be a multiple of 2 x --heads ${heads}.`);
  if (heads % keyValueHeads !== 0)
    throw new InvalidArgumentError(`--heads ${heads} must be a multiple of --key-value-heads ${keyValueHeads}.`);
  if (rowLength > maxPositions)
    throw new InvalidArgumentError(`--row-length ${rowLength} must be at most --max-positions ${maxPositions}.`);
}
