import {
  type CausalLanguageModel,
  generate,
  initialWeights,
  languageModel,
  lora,
  mergeLora,
  padRight,
  recomputed,
  snapshot,
  tokenLogProbabilities,
  weightsDigest,
} from '@rarefy/lm';
import { adamW } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';

const shared = {
  vocab_size: 30,
  hidden_size: 24,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 6,
  num_hidden_layers: 2,
  intermediate_size: 40,
  max_position_embeddings: 64,
  initializer_range: 0.3,
};
const configs = {
  gemma3_text: { sliding_window: 4, sliding_window_pattern: 2 },
  gpt2: { n_embd: 24, n_head: 4, n_layer: 2, n_positions: 64 },
  granite: { embedding_multiplier: 3, residual_multiplier: 0.5 },
  llama: { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
  mistral: { sliding_window: 4 },
  nanochat: {},
  olmo2: {},
  phi3: { sliding_window: 4 },
  qwen2: {},
  qwen3: { tie_word_embeddings: true },
  smollm3: { no_rope_layer_interval: 2 },
};
const build = (family: keyof typeof configs) => {
  const config = { model_type: family, ...shared, ...configs[family] };
  return languageModel(config, initialWeights(config, 1));
};
const rows = [Int32Array.of(7, 8, 9, 10, 11, 12), Int32Array.of(3, 4)];

const bytesOf = (variables: Readonly<Record<string, tf.Variable>>) =>
  Object.fromEntries(Object.entries(variables).map(([name, each]) => [name, each.dataSync<'float32'>().slice()]));
const logitsOf = (model: CausalLanguageModel) =>
  tf.tidy(() => {
    const { ids, mask } = padRight(rows);
    return model.forward(ids, mask).logits.dataSync<'float32'>().slice();
  });

/** The loss of the next tokens, from tensors that are freed after its forward pass. */
const lossOf = (model: CausalLanguageModel) =>
  tf.tidy(() => {
    const { ids, mask } = padRight(rows);
    const hidden = model.hiddenStates(ids, mask);
    const logits = model.logits(tf.reshape(hidden, [-1, shared.hidden_size]));
    const targets = tf.tensor1d(
      Array.from(ids.dataSync(), (id) => (id * 7 + 1) % shared.vocab_size),
      'int32',
    );
    return tf.neg(tf.mean(tokenLogProbabilities(logits, targets))) as tf.Scalar;
  });

function gradientsOf(model: CausalLanguageModel): { loss: number; gradients: Record<string, Float32Array> } {
  const variables = Object.entries(model.parameters);
  const { value, grads } = tf.variableGrads(
    () => lossOf(model),
    variables.map(([, variable]) => variable),
  );
  const loss = value.dataSync()[0]!;
  const gradients = Object.fromEntries(
    variables.map(([name, variable]) => [name, grads[variable.name]!.dataSync<'float32'>().slice()]),
  );
  tf.dispose([value, grads]);
  return { loss, gradients };
}

function train(model: CausalLanguageModel, steps: number): void {
  const optimizer = adamW(model.parameters, { learningRate: 0.02 });
  for (let step = 0; step < steps; step++) {
    const { value, grads } = tf.variableGrads(() => lossOf(model), Object.values(model.parameters));
    optimizer.step(grads);
    tf.dispose([value, grads]);
  }
  optimizer.dispose();
}

const largest = (values: ArrayLike<number>) => Array.from(values).reduce((max, x) => Math.max(max, Math.abs(x)), 0);
const distance = (a: Float32Array, b: Float32Array) => largest(a.map((x, at) => x - b[at]!));

describeOnBackends('adapters and recomputation', () => {
  describe.each(Object.keys(configs) as (keyof typeof configs)[])('%s', (family) => {
    test('an adapter trains alone, and merged it computes the same', async () => {
      const before = tf.memory().numTensors;
      const base = build(family);
      const [bytes, digest, start] = [bytesOf(base.parameters), await weightsDigest(base), logitsOf(base)];
      const model = lora(base, { rank: 3, alpha: 12, seed: 4 });
      expect(logitsOf(model)).toEqual(start);
      expect(Object.keys(model.parameters).every((name) => /\.lora_[AB]\.weight$/.test(name))).toBe(true);
      expect(model.frozen).toBe(base.parameters);

      const { gradients } = gradientsOf(model);
      expect(Object.keys(gradients)).toEqual(Object.keys(model.parameters));
      for (const [name, gradient] of Object.entries(gradients)) {
        if (name.includes('lora_B')) expect(largest(gradient), name).toBeGreaterThan(0);
      }
      train(model, 3);
      for (const [name, gradient] of Object.entries(gradientsOf(model).gradients))
        expect(largest(gradient), name).toBeGreaterThan(0);

      const trained = logitsOf(model);
      expect(distance(trained, start)).toBeGreaterThan(0.1);
      expect(bytesOf(base.parameters)).toEqual(bytes);
      expect(await weightsDigest(base)).toBe(digest);
      expect(logitsOf(model.adapter!.base)).toEqual(start);

      const merged = mergeLora(model);
      expect(Object.keys(merged.parameters)).toEqual(Object.keys(base.parameters));
      expect(distance(logitsOf(merged), trained)).toBeLessThan(1e-5 * largest(trained));
      model.dispose();
      expect(distance(logitsOf(merged), trained)).toBeLessThan(1e-5 * largest(trained));
      merged.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });

    test('recomputed activations give the same loss and gradients', () => {
      const before = tf.memory().numTensors;
      const base = build(family);
      const adapted = lora(base, { rank: 3, alpha: 12, seed: 4 });
      train(adapted, 2);
      for (const model of [base, adapted]) {
        const plain = gradientsOf(model);
        const again = gradientsOf(recomputed(model));
        expect(again.loss).toBe(plain.loss);
        for (const [name, gradient] of Object.entries(plain.gradients)) {
          expect(distance(again.gradients[name]!, gradient), name).toBeLessThanOrEqual(1e-6 * largest(gradient));
        }
      }
      adapted.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  test('an adapter generates as the merged model, with and without a cache', async () => {
    const model = lora(build('qwen3'), { rank: 3, alpha: 12, seed: 4 });
    train(model, 3);
    const merged = mergeLora(model);
    const options = { maxNewTokens: 8, stopId: 2, temperature: 0, seed: 1 };
    const completions = await generate(model, rows, options);
    expect(await generate(model, rows, { ...options, cache: false })).toEqual(completions);
    const idsOf = (all: typeof completions) => all.map(({ ids }) => [...ids]);
    expect(idsOf(await generate(merged, rows, options))).toEqual(idsOf(completions));
    expect(await generate(recomputed(model), rows, options)).toEqual(completions);
    merged.dispose();
    model.dispose();
  });

  test('a snapshot keeps the adapter of now', () => {
    const before = tf.memory().numTensors;
    const model = recomputed(lora(build('llama'), { rank: 3, seed: 4 }));
    train(model, 2);
    const kept = snapshot(model);
    const logits = logitsOf(model);
    train(model, 2);
    expect(logitsOf(kept)).toEqual(logits);
    expect(distance(logitsOf(model), logits)).toBeGreaterThan(0);
    model.dispose();
    expect(logitsOf(kept)).toEqual(logits);
    kept.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('memory of a backward pass does not grow with the activations of all layers', async () => {
    const size = { ...shared, hidden_size: 32, head_dim: 8, intermediate_size: 96, vocab_size: 40 };
    const peakOf = async (layers: number, isRecomputed: boolean) => {
      const config = { model_type: 'llama', ...size, num_hidden_layers: layers };
      const plain = languageModel(config, initialWeights(config, 1));
      const model = lora(isRecomputed ? recomputed(plain) : plain, { rank: 2, seed: 1 });
      const long = Int32Array.from({ length: 60 }, (_, at) => at % 40);
      const before = tf.memory().numBytes;
      const { peakBytes } = await tf.profile(() => {
        const loss = () =>
          tf.tidy(() => {
            const { ids, mask } = padRight([long, long, long, long]);
            return tf.mean(tf.square(model.hiddenStates(ids, mask))) as tf.Scalar;
          });
        const { value, grads } = tf.variableGrads(loss, Object.values(model.parameters));
        tf.dispose(grads);
        return value;
      });
      model.dispose();
      return peakBytes - before;
    };
    const perLayer = async (isRecomputed: boolean) =>
      ((await peakOf(10, isRecomputed)) - (await peakOf(2, isRecomputed))) / 8;
    const row = 4 * 4 * 60 * size.hidden_size; // bytes of [batch, T, hidden]
    expect(await perLayer(false)).toBeGreaterThan(40 * row);
    expect(await perLayer(true)).toBeLessThan(8 * row); // the input, its gradient, and those of A and B
  });
});
