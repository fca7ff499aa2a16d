import { InputError, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { padRight } from '../layers/padding.js';
import { initialWeights, languageModel, type WeightValues } from './language-model.js';
import { rewardModel } from './reward-model.js';

beforeAll(() => activate('wasm'));

const sizes = {
  vocab_size: 20,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  head_dim: 8,
  intermediate_size: 24,
  max_position_embeddings: 32,
};
const gpt2 = { model_type: 'gpt2', vocab_size: 20, n_embd: 16, n_head: 2, n_layer: 2, n_positions: 32 };
const config = (type: string, more: object = {}) => ({ model_type: type, ...sizes, ...more });
const ones = (shape: readonly number[]): WeightValues => ({
  shape,
  data: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(1),
});

/** Logits of three tokens; the model is disposed. */
function logitsOf(settings: object, weights: ReadonlyMap<string, WeightValues> = initialWeights(settings, 1)) {
  const before = tf.memory().numTensors;
  const model = languageModel(settings, weights);
  const values = tf.tidy(() => {
    const { ids, mask } = padRight([Int32Array.of(3, 1, 2)]);
    return model.forward(ids, mask).logits.dataSync<'float32'>().slice();
  });
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return values;
}

describe('a field that changes the arithmetic and is not honored is an error that names it', () => {
  test.each([
    ['llama', { sliding_window: 8 }],
    ['llama', { attn_logit_softcapping: 50 }],
    ['llama', { quantization_config: { quant_method: 'awq' } }],
    ['llama', { rope_interleaved: true }],
    ['llama', { layer_types: ['full_attention', 'sliding_attention'] }],
    ['mistral', { attention_bias: true }],
    ['qwen2', { logits_scaling: 8 }],
    ['qwen3', { num_experts: 128 }],
    ['gemma3_text', { attn_logit_softcapping: 50 }],
    ['gemma3_text', { use_bidirectional_attention: true }],
    ['olmo2', { sliding_window: 4096 }],
    ['phi3', { attention_bias: true }],
    ['granite', { num_local_experts: 8 }],
    ['nanochat', { mlp_bias: true }],
    ['gpt2', { add_cross_attention: true }],
  ])('%s with %j', (type, change) => {
    const [name] = Object.keys(change);
    const settings = type === 'gpt2' ? { ...gpt2, ...change } : config(type, change);
    const build = () => languageModel(settings, initialWeights({ ...settings, ...{ [name!]: undefined } }, 1));
    expect(build).toThrow(InputError);
    expect(build).toThrow(`'${name}' is`);
  });

  test('at a value without effect it is accepted', () => {
    const neutral = {
      sliding_window: null,
      mlp_bias: false,
      num_experts: 0,
      layer_types: ['full_attention', 'full_attention'],
    };
    const more = { partial_rotary_factor: 1, unknown_note: 'kept', rope_interleaved: false, quantization_config: null };
    expect(logitsOf(config('llama', { ...neutral, ...more }))).toEqual(logitsOf(config('llama')));
  });

  test.each([
    [
      'llama',
      { rope_scaling: { rope_type: 'dynamic', factor: 2 } },
      "type 'dynamic' are not supported; use a model with one of default, linear, llama3, yarn",
    ],
    [
      'phi3',
      { rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] } },
      "type 'longrope' are not supported",
    ],
    [
      'phi3',
      { rope_scaling: { type: 'yarn', factor: 2 } },
      "type 'yarn' are not supported; use a model with one of default",
    ],
    ['llama', { rope_scaling: { rope_type: 'linear' } }, "need 'factor' > 0, got undefined"],
    ['llama', { rope_scaling: { rope_type: 'linear', factor: 2, mscale: 1 } }, "do not take 'mscale'"],
    ['llama', { partial_rotary_factor: 0.5 }, "do not take 'partial_rotary_factor'"],
    ['llama', { rope_parameters: 'yarn' }, "'rope_parameters' must be an object"],
    ['qwen3', { layer_types: ['full_attention', 'chunked_attention'] }, "'layer_types' must be"],
    ['smollm3', { no_rope_layers: [1] }, "'no_rope_layers' must list 0 or 1 for each of 2 layers"],
  ])('%s with %j', (type, change, message) => {
    expect(() => initialWeights(config(type, change), 1)).toThrow(InputError);
    expect(() => initialWeights(config(type, change), 1)).toThrow(message);
  });
});

describe('weights that no parameter takes', () => {
  test('are errors that name them', () => {
    const biased = new Map([
      ...initialWeights(config('mistral'), 1),
      ['model.layers.1.self_attn.q_proj.bias', ones([16])],
    ]);
    expect(() => languageModel(config('mistral'), biased)).toThrow(
      'weights that a mistral model does not use: model.layers.1.self_attn.q_proj.bias',
    );
    const crossed = new Map([
      ...initialWeights(gpt2, 1),
      ['transformer.h.0.crossattention.c_attn.weight', ones([16, 32])],
    ]);
    expect(() => languageModel(gpt2, crossed)).toThrow('transformer.h.0.crossattention.c_attn.weight');
  });

  test('a head other than the embedding, where config.json ties them', () => {
    for (const tied of [config('llama', { tie_word_embeddings: true }), gpt2]) {
      const weights = initialWeights(tied, 1);
      const name = tied === gpt2 ? 'transformer.wte.weight' : 'model.embed_tokens.weight';
      const copied = new Map([...weights, ['lm_head.weight', weights.get(name)!]]);
      expect(logitsOf(tied, copied)).toEqual(logitsOf(tied, weights));
      const other = new Map([...weights, ['lm_head.weight', ones([20, 16])]]);
      expect(() => languageModel(tied, other)).toThrow('set tie_word_embeddings to false');
      expect(logitsOf({ ...tied, tie_word_embeddings: false }, other)).not.toEqual(logitsOf(tied, weights));
    }
  });

  test('buffers and the head of a reward model are ignored', () => {
    const more: [string, WeightValues][] = [
      ['h.0.attn.bias', ones([1, 1, 4, 4])],
      ['transformer.h.1.attn.masked_bias', ones([])],
      ['score.weight', ones([1, 16])],
    ];
    expect(logitsOf(gpt2, new Map([...initialWeights(gpt2, 1), ...more]))).toEqual(logitsOf(gpt2));
    const rotary = new Map([
      ...initialWeights(config('llama'), 1),
      ['model.layers.0.self_attn.rotary_emb.inv_freq', ones([4])] as const,
    ]);
    expect(logitsOf(config('llama'), rotary)).toEqual(logitsOf(config('llama')));
  });

  test('a file saved without an output head has shorter names', () => {
    const tied = config('qwen3', { tie_word_embeddings: true });
    const short = new Map([...initialWeights(tied, 1)].map(([name, values]) => [name.replace('model.', ''), values]));
    expect(logitsOf(tied, short)).toEqual(logitsOf(tied));
    const untied = new Map([...short].filter(([name]) => name !== 'lm_head.weight'));
    expect(() => languageModel(config('qwen3'), untied)).toThrow(ShapeError);
  });
});

test('a reward model of an untied family needs no output head, and has no logits', () => {
  const weights = initialWeights(config('llama'), 1);
  weights.delete('lm_head.weight');
  expect(() => languageModel(config('llama'), weights)).toThrow("'lm_head.weight' (20 x 16) is missing");
  weights.set('score.weight', { shape: [1, 16], data: Float32Array.from({ length: 16 }, (_, index) => index) });
  const before = tf.memory().numTensors;
  const reward = rewardModel(languageModel(config('llama'), weights), weights);
  const { ids, mask } = padRight([Int32Array.of(3, 1, 2)]);
  const whole = languageModel(config('llama'), initialWeights(config('llama'), 1));
  tf.tidy(() => {
    const last = whole.hiddenStates(ids, mask).dataSync<'float32'>().slice(-16);
    expect(reward.score(ids, mask).dataSync()[0]).toBeCloseTo(
      last.reduce((sum, value, index) => sum + value * index, 0),
      4,
    );
  });
  expect(Object.keys(reward.parameters)).toContain('model.embed_tokens.weight');
  expect(() => reward.model.head).toThrow('without an output head');
  expect(() => reward.model.forward(ids, mask)).toThrow(InvalidArgumentError);
  reward.dispose();
  whole.dispose();
  tf.dispose([ids, mask]);
  expect(tf.memory().numTensors).toBe(before);
});

describe('values of fields that config.json leaves out are those of transformers', () => {
  test('nanochat caps logits at 15, unless the field is null', () => {
    const capOf = (more: object) => {
      const settings = config('nanochat', more);
      const model = languageModel(settings, initialWeights(settings, 1));
      model.dispose();
      return model.head.softCap;
    };
    expect([capOf({}), capOf({ final_logit_softcapping: 5 }), capOf({ final_logit_softcapping: null })]).toEqual([
      15,
      5,
      undefined,
    ]);
  });

  test('mistral has a window of 4,096, unless the field is null', () => {
    const length = 4200;
    const rows = (more: object) => {
      const settings = config('mistral', { ...more, max_position_embeddings: 8192, num_hidden_layers: 1 });
      const model = languageModel(settings, initialWeights(settings, 1));
      const last = tf.tidy(() => {
        const { ids, mask } = padRight([Int32Array.from({ length }, (_, index) => index % 20)]);
        return tf
          .slice(model.hiddenStates(ids, mask), [0, length - 1, 0])
          .dataSync<'float32'>()
          .slice();
      });
      model.dispose();
      return last;
    };
    expect(rows({})).toEqual(rows({ sliding_window: 4096 }));
    expect(rows({})).not.toEqual(rows({ sliding_window: null }));
  });

  test('norms start as the identity', () => {
    const norm = (type: string) => initialWeights(config(type), 1).get('model.norm.weight')!.data[0];
    expect([norm('gemma3_text'), norm('qwen3')]).toEqual([0, 1]);
  });
});

/** What the config.json of each model has besides sizes, or where it is unusual. */
const published: Readonly<Record<string, object>> = {
  'Qwen3-0.6B': {
    ...{ model_type: 'qwen3', attention_bias: false, head_dim: 128, max_window_layers: 28, rope_scaling: null },
    ...{ rope_theta: 1_000_000, sliding_window: null, use_sliding_window: false, tie_word_embeddings: true },
  },
  'Qwen2.5-0.5B': {
    ...{ model_type: 'qwen2', max_window_layers: 24, rope_theta: 1_000_000, sliding_window: 32_768 },
    ...{ use_mrope: false, use_sliding_window: false, tie_word_embeddings: true },
  },
  'gemma-3-270m': {
    ...{ model_type: 'gemma3_text', _sliding_window_pattern: 6, attention_bias: false, attn_logit_softcapping: null },
    ...{ final_logit_softcapping: null, hidden_activation: 'gelu_pytorch_tanh', query_pre_attn_scalar: 256 },
    ...{ rope_local_base_freq: 10_000, rope_scaling: null, rope_theta: 1_000_000, sliding_window: 512 },
    ...{ use_bidirectional_attention: false, layer_types: ['sliding_attention', 'full_attention'] },
  },
  'SmolLM3-3B': {
    ...{ model_type: 'smollm3', no_rope_layer_interval: 4, no_rope_layers: [1, 0], rope_theta: 5_000_000 },
    ...{ layer_types: ['full_attention', 'full_attention'], max_window_layers: 28, pretraining_tp: 2 },
    ...{ attention_bias: false, mlp_bias: false, sliding_window: null, use_sliding_window: false },
  },
  'Llama-3.2-1B': {
    ...{ model_type: 'llama', attention_bias: false, mlp_bias: false, rope_theta: 500_000, pretraining_tp: 1 },
    rope_scaling: {
      ...{ factor: 32, high_freq_factor: 4, low_freq_factor: 1 },
      ...{ original_max_position_embeddings: 8192, rope_type: 'llama3' },
    },
    tie_word_embeddings: true,
  },
  'OLMo-2-0425-1B': {
    ...{ model_type: 'olmo2', attention_bias: false, rope_scaling: null, rope_theta: 500_000 },
    tie_word_embeddings: false,
  },
  'SmolLM2-135M': { model_type: 'llama', is_llama_config: true, rope_interleaved: false, tie_word_embeddings: true },
  'Phi-3-mini-4k-instruct': {
    ...{ model_type: 'phi3', original_max_position_embeddings: 4096, rope_scaling: null, sliding_window: 2047 },
    ...{ auto_map: { AutoConfig: 'configuration_phi3.Phi3Config' }, attention_bias: false },
  },
};

test.each(Object.entries(published))('the fields of %s are honored', (_, fields) => {
  const settings = { ...sizes, torch_dtype: 'bfloat16', use_cache: true, ...fields };
  expect(logitsOf(settings).every(Number.isFinite)).toBe(true);
});

describe('a type that is not supported', () => {
  test.each([
    ['gemma2', 'the nearest family is gemma3_text, but attention scores are soft-capped, and it has no norms of heads'],
    ['ernie4_5', 'the nearest family is llama, but rotation takes interleaved pairs'],
  ])('%s: what differs is known', (type, message) => {
    expect(() => languageModel(config(type), new Map())).toThrow(message);
  });

  test('of another name is compared by its weights', () => {
    const weights = initialWeights(config('qwen3'), 1);
    weights.delete('model.layers.0.self_attn.q_norm.weight');
    const sinks = new Map([...weights, ['model.layers.1.self_attn.sinks', ones([2])]]);
    expect(() => languageModel(config('brand_new'), sinks)).toThrow(
      "model_type 'brand_new' is not supported; the nearest family is qwen3, but this model lacks model.layers.*.self_attn.q_norm.weight and has model.layers.*.self_attn.sinks; the families are gemma3_text, gpt2,",
    );
    expect(() => languageModel(config('twin'), initialWeights(config('olmo2'), 1))).toThrow(
      'the nearest family is olmo2, with the same weights, but the arithmetic may differ',
    );
    expect(() => languageModel({ model_type: 'empty' }, new Map())).toThrow(
      "'empty' is not supported; the families are",
    );
  });
});
