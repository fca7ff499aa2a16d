import { type CausalLanguageModel, initialWeights, languageModel } from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';

/** Four short prompts, and a model of one layer that trains on them in milliseconds. */
export const prompts = ['one two', 'two three', 'three', 'four five six'].map((prompt) => ({ prompt }));

export const tokenizer = trainBytePairTokenizer(
  prompts.map(({ prompt }) => prompt),
  { vocabularySize: 280 },
);

export const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 8,
  max_position_embeddings: 32,
};

export const newModel = (seed = 1): CausalLanguageModel => languageModel(config, initialWeights(config, seed));
