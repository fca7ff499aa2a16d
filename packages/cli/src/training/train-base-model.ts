import { type CallOptions, digest, InvalidArgumentError } from '@rarefy/core';
import { readPairs } from '@rarefy/data';
import {
  chatFormat,
  initialWeights,
  languageModel,
  learningRateSchedule,
  saveLanguageModel,
  trainBytePairTokenizer,
  trainLanguageModel,
  windows,
} from '@rarefy/lm';
import { openBackend } from './open-model.js';
import { openRun } from './open-run.js';

export interface BaseModelOptions {
  readonly pairs: string;
  readonly out: string;
  readonly maxSteps: number;
  readonly seed: number;
  readonly saveSteps: number;
  readonly resume: boolean;
  readonly backend: string | undefined;
  readonly batchSize: number;
  readonly rowLength: number;
  readonly learningRate: number;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly maxPositions: number;
}

/** Trains tokenizer and model from nothing on both answers of every pair, as conversations one after the other. */
export async function trainBaseModel(values: BaseModelOptions, options: CallOptions): Promise<void> {
  checkShape(values);
  const backend = await openBackend(values.backend, options);
  const conversations: { prompt: string; answer: string }[] = [];
  for await (const { prompt, chosen, rejected } of readPairs(values.pairs, options)) {
    conversations.push({ prompt, answer: chosen }, { prompt, answer: rejected });
  }
  const texts = conversations.flatMap(({ prompt, answer }) => [prompt, answer]);
  const tokenizer = trainBytePairTokenizer(texts, { vocabularySize: values.vocabularySize });
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: tokenizer.vocabularySize,
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
    bos_token_id: tokenizer.specialId('<|bos|>'),
    eos_token_id: chatFormat(tokenizer).stopId,
    torch_dtype: 'float32',
  };
  const model = languageModel(config, initialWeights(config, values.seed));
  const format = chatFormat(tokenizer);
  const rows = conversations.map(({ prompt, answer }) => format.conversation(prompt, answer).ids);
  const corpus = Int32Array.from(rows.flatMap((row) => [...row]));
  const run = await openRun({
    ...values,
    ...options,
    stage: 'base',
    backend,
    options: { ...values },
    shown: ['loss', 'learning_rate'],
  });
  try {
    await trainLanguageModel(
      { model, tokenizer, config },
      {
        ...options,
        ...run,
        kind: 'base',
        steps: values.maxSteps,
        learningRate: values.learningRate,
        weightDecay: 0.1,
        betas: [0.9, 0.95],
        maxGradNorm: 1,
        schedule: learningRateSchedule('cosine', { warmupSteps: Math.min(50, Math.floor(values.maxSteps / 10)) }),
        examples: windows(corpus, { length: values.rowLength, batchSize: values.batchSize, seed: values.seed }),
        data: `${digest(corpus)}:${values.rowLength}:${values.batchSize}:${values.seed}:${values.maxSteps}`,
      },
    );
    await saveLanguageModel(values.out, { model, tokenizer, config });
  } finally {
    await run.close();
    model.dispose();
  }
}

function checkShape({ hiddenSize, heads, keyValueHeads, rowLength, maxPositions }: BaseModelOptions): void {
  if (hiddenSize % (2 * heads) !== 0)
    throw new InvalidArgumentError(`--hidden-size ${hiddenSize} must be a multiple of 2 x --heads ${heads}.`);
  if (heads % keyValueHeads !== 0)
    throw new InvalidArgumentError(`--heads ${heads} must be a multiple of --key-value-heads ${keyValueHeads}.`);
  if (rowLength > maxPositions)
    throw new InvalidArgumentError(`--row-length ${rowLength} must be at most --max-positions ${maxPositions}.`);
}
