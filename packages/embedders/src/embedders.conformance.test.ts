import { activate, initialWeights, languageModel } from '@rarefy/lm';
import { embedderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { hiddenStateEmbedder, logitsEmbedder } from './causal-lm/causal-lm.js';
import { hashEmbedder } from './hash.js';
import { universalSentenceEncoder } from './use/universal-sentence-encoder.js';

await activate('wasm');
const countTensors = () => tf.memory().numTensors;

describeChecks(
  'hashEmbedder',
  embedderChecks({
    create: () => hashEmbedder(),
    variants: [() => hashEmbedder({ dimensions: 128 }), () => hashEmbedder({ seed: 1 })],
    fingerprint: 'hash:dimensions=256,seed=0',
  }),
);

describeChecks('universalSentenceEncoder', embedderChecks({ create: () => universalSentenceEncoder(), countTensors }));

/** Models with random weights and a vocabulary of bytes and a few words. */
const tokenizer = trainBytePairTokenizer(['how do I bake bread', 'where is the garden'], { vocabularySize: 300 });
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 48,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
};
const capped = { ...config, model_type: 'nanochat', final_logit_softcapping: 15 };
const loaded = (settings: object, seed: number) => ({
  model: languageModel(settings, initialWeights(settings, seed)),
  tokenizer,
});
const [linear, other, softCapped] = [loaded(config, 1), loaded(config, 2), loaded(capped, 3)];

for (const [name, embedder] of Object.entries({ hiddenStateEmbedder, logitsEmbedder })) {
  describeChecks(
    name,
    embedderChecks({
      create: () => embedder(linear),
      variants: [() => embedder(linear, { maxTokens: 32 }), () => embedder(other), () => embedder(softCapped)],
      countTensors,
    }),
  );
}

describeChecks(
  'logitsEmbedder of a soft-capped head',
  embedderChecks({ create: () => logitsEmbedder(softCapped), countTensors }),
);
