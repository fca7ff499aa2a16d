import { StateMismatchError } from '@rarefy/core';
import { inverseDensity } from '@rarefy/density';
import { hiddenStateEmbedder } from '@rarefy/embedders/causal-lm';
import { activate, type CausalLanguageModel, initialWeights, languageModel, snapshot } from '@rarefy/lm';
import {
  densityAwareSampler,
  densityUpdates,
  followUpdates,
  type WeightedSampler,
  weightedSampler,
} from '@rarefy/samplers';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { adamW } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { lastValueFrom, of, toArray } from 'rxjs';
import { beforeAll, expect, test } from 'vitest';

const prompts = Array.from({ length: 16 }, (_, row) => ({
  prompt: `${'how do I '.repeat(row % 5)}bake bread ${row}?`,
}));
const tokenizer = trainBytePairTokenizer(
  prompts.map(({ prompt }) => prompt),
  { vocabularySize: 300 },
);
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
};

beforeAll(() => activate('cpu'));

/** One optimizer step with gradients of ones. */
function trainStep({ parameters }: Pick<CausalLanguageModel, 'parameters'>): void {
  const optimizer = adamW(parameters, { learningRate: 1e-2 });
  const gradients = Object.fromEntries(Object.values(parameters).map((value) => [value.name, tf.onesLike(value)]));
  optimizer.step(gradients);
  optimizer.dispose();
  tf.dispose(gradients);
}

/** The updates of a policy while the model takes a step after every slice; the embedder is `made`. */
function updatesWhileTraining<Policy extends CausalLanguageModel>(
  model: CausalLanguageModel,
  policy: Policy,
  dispose?: (policy: Policy) => void,
  sampler: WeightedSampler = weightedSampler(new Float64Array(prompts.length).fill(1), { seed: 1 }),
) {
  const updates = densityUpdates(of(policy), {
    sampler,
    prompts,
    weighting: inverseDensity(),
    embedder: async (embedded) => {
      const embedder = await hiddenStateEmbedder({ model: embedded, tokenizer });
      return {
        ...embedder,
        async embedBatch(items, options) {
          const result = await embedder.embedBatch(items, options);
          trainStep(model);
          return result;
        },
      };
    },
    sliceSize: 4,
    timeShare: 1,
    ...(dispose && { dispose }),
  });
  return lastValueFrom(updates.pipe(toArray()));
}

test('a model in training is refused, and its snapshot gives the density of one version of its weights', async () => {
  const model = languageModel(config, initialWeights(config, 1));
  await expect(updatesWhileTraining(model, model)).rejects.toThrow(StateMismatchError);

  const embedder = await hiddenStateEmbedder({ model, tokenizer });
  const sampler = await densityAwareSampler(prompts, { embedder, seed: 1 });
  const expected = sampler.weights();
  const frozen = snapshot(model);
  const before = tf.memory().numTensors;
  const updates = await updatesWhileTraining(model, frozen, (policy) => policy[Symbol.dispose](), sampler);
  expect(updates.length).toBe(1);
  expect(updates[0]!.weights).toEqual(expected);
  expect(tf.memory().numTensors).toBeLessThan(before); // the snapshot is freed

  followUpdates(sampler, updates);
  expect(sampler.weightsVersion).toBe(1);
  model.dispose();
});
