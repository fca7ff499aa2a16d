import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { generate } from '../generate/generate.js';
import { padRight } from '../layers/padding.js';
import { tokenLogProbabilities } from '../layers/token-log-probabilities.js';
import { initialWeights, languageModel } from './language-model.js';
import { rewardModel } from './reward-model.js';
import { snapshot } from './snapshot.js';

beforeAll(() => activate('wasm'));

const shared = {
  vocab_size: 30,
  hidden_size: 24,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 6,
  num_hidden_layers: 3,
  intermediate_size: 40,
  max_position_embeddings: 64,
};
const granite = { embedding_multiplier: 3, attention_multiplier: 0.3, residual_multiplier: 0.5, logits_scaling: 4 };
const configs = {
  gemma3_text: { sliding_window: 4, sliding_window_pattern: 2, final_logit_softcapping: 5 },
  gpt2: { n_embd: 24, n_head: 4, n_layer: 3, n_positions: 64, tie_word_embeddings: false },
  granite,
  llama: { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
  mistral: { sliding_window: 4 },
  nanochat: { attention_bias: true },
  olmo2: {},
  phi3: { sliding_window: 4, partial_rotary_factor: 2 / 3 },
  qwen2: { use_sliding_window: true, sliding_window: 4, max_window_layers: 1 },
  qwen3: { tie_word_embeddings: true },
  smollm3: { no_rope_layer_interval: 2 },
};

describe.each(Object.entries(configs))('%s', (family, more) => {
  const config = { model_type: family, ...shared, ...more };
  const build = () => languageModel(config, initialWeights({ ...config, initializer_range: 0.3 }, 1));
  const prompts = [Int32Array.of(7, 8, 9, 10, 11, 12), Int32Array.of(3, 4)];

  test('sampled completions do not depend on the cache and the batch', async () => {
    const model = build();
    const options = { maxNewTokens: 10, stopId: 2, seed: 5 };
    const together = await generate(model, prompts, { ...options, samplesPerPrompt: 2 });
    expect(await generate(model, prompts, { ...options, samplesPerPrompt: 2, cache: false })).toEqual(together);
    expect((await generate(model, [prompts[1]!], { ...options, streams: [3] }))[0]).toEqual(together[3]);
    model.dispose();
  });

  test('training reaches every parameter, lowers the loss, and leaves a snapshot as it was', async () => {
    const before = tf.memory().numTensors;
    const model = build();
    const { ids, mask } = padRight(prompts);
    const hiddenOf = (each: typeof model) => tf.tidy(() => each.hiddenStates(ids, mask).dataSync<'float32'>().slice());
    const initial = hiddenOf(model);
    const kept = snapshot(model);
    const targets = tf.tensor1d(
      [...ids.dataSync()].map((_, index, all) => all[index + 1] ?? 0),
      'int32',
    );
    const loss = () =>
      tf.tidy(() => {
        const hidden = model.hiddenStates(ids, mask);
        const logits = model.logits(tf.reshape(hidden, [-1, shared.hidden_size]));
        return tf.neg(tf.mean(tokenLogProbabilities(logits, targets))) as tf.Scalar;
      });
    const optimizer = tf.train.adam(0.003);
    const losses: number[] = [];
    for (let step = 0; step < 4; step++) {
      const { value, grads } = tf.variableGrads(loss, Object.values(model.parameters));
      const norms = Object.entries(grads).map(([name, gradient]) => [
        name,
        tf.tidy(() => tf.norm(gradient).dataSync()[0]!),
      ]);
      if (step === 0) expect(norms.filter(([, norm]) => !((norm as number) > 0))).toEqual([]);
      losses.push(value.dataSync()[0]!);
      optimizer.applyGradients(grads as tf.NamedTensorMap as never);
      tf.dispose([value, grads]);
    }
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(hiddenOf(kept)).toEqual(initial);
    expect(hiddenOf(model)).not.toEqual(initial);
    optimizer.dispose();
    kept.dispose();
    model.dispose();
    tf.dispose([ids, mask, targets]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a reward model reads the last real token', () => {
    const weights = new Map([
      [
        'score.weight',
        {
          shape: [1, shared.hidden_size],
          data: Float32Array.from({ length: shared.hidden_size }, (_, i) => Math.cos(i)),
        },
      ],
    ]);
    const reward = rewardModel(build(), weights);
    const rewardsOf = (rows: readonly Int32Array[]) =>
      tf.tidy(() => {
        const { ids, mask } = padRight(rows);
        return [...reward.score(ids, mask).dataSync()];
      });
    const [longer, shorter] = rewardsOf(prompts);
    expect(rewardsOf([prompts[0]!])[0]).toBeCloseTo(longer!, 4);
    expect(rewardsOf([prompts[1]!])[0]).toBeCloseTo(shorter!, 4);
    expect(longer).not.toBeCloseTo(shorter!, 4);
    reward.dispose();
  });
});
