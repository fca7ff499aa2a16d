import { type CausalLanguageModel, chooseBackend, fromLayersModel, initialWeights, languageModel } from '@rarefy/lm';
import { type ForwardModelUnderTest, forwardModelChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import * as tf from '@tensorflow/tfjs';
import { beforeAll } from 'vitest';

beforeAll(async () => {
  await chooseBackend({ backend: 'wasm' });
});

/** What the checks need besides the model: a maker of tensors, and the norms of gradients. */
function underTest(model: CausalLanguageModel): ForwardModelUnderTest<tf.Tensor2D> {
  return {
    ...model,
    tensor: (rows) =>
      tf.tensor2d(
        rows.map((row) => [...row]),
        undefined,
        'int32',
      ),
    gradientNorms(ids, mask) {
      const loss = () => tf.mean(tf.square(model.forward(ids, mask).logits)) as tf.Scalar;
      const { grads } = tf.variableGrads(loss, Object.values(model.parameters));
      const nameOf = Object.fromEntries(Object.entries(model.parameters).map(([name, { name: key }]) => [key, name]));
      return Object.fromEntries(
        Object.entries(grads).map(([key, gradient]) => [nameOf[key]!, tf.norm(gradient).dataSync()[0]!]),
      );
    },
  };
}

const sizes = { vocab_size: 40, hidden_size: 16, intermediate_size: 32, max_position_embeddings: 32 };
const heads = { num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 2 };
const configs = {
  llama: { model_type: 'llama', ...heads, ...sizes },
  nanochat: { model_type: 'nanochat', ...heads, ...sizes },
  gpt2: { model_type: 'gpt2', vocab_size: 40, n_embd: 16, n_head: 2, n_layer: 2, n_positions: 32 },
};

for (const [family, config] of Object.entries(configs)) {
  describeChecks(
    `a ${family} model`,
    forwardModelChecks({ create: () => underTest(languageModel(config, initialWeights(config, 1))) }),
  );
}

/** A tf.layers model, which reads no mask: `fromLayersModel` moves rows so that padding is only on the right. */
function layersModel(): CausalLanguageModel {
  const { glorotUniform } = tf.initializers;
  return fromLayersModel(
    tf.sequential({
      layers: [
        tf.layers.embedding({
          ...{ inputDim: 40, outputDim: 12, inputLength: 8 },
          embeddingsInitializer: glorotUniform({ seed: 1 }),
        }),
        tf.layers.gru({
          ...{ units: 10, returnSequences: true },
          kernelInitializer: glorotUniform({ seed: 2 }),
          recurrentInitializer: glorotUniform({ seed: 3 }),
        }),
        tf.layers.dense({ units: 40, kernelInitializer: glorotUniform({ seed: 4 }) }),
      ],
    }),
  );
}
describeChecks('a tf.layers model', forwardModelChecks({ create: () => underTest(layersModel()) }));
