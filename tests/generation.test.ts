import { activate, disposeCache, generate, initialWeights, keyValueCache, languageModel, padLeft } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';

const layers = 2;
const configs = {
  gpt2: { n_embd: 24, n_head: 4, n_layer: layers, n_positions: 128 },
  gemma3_text: { sliding_window: 40, sliding_window_pattern: 2, max_position_embeddings: 128 },
} as const;
const sizes = {
  ...{ vocab_size: 30, hidden_size: 24, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 6 },
  ...{ num_hidden_layers: layers, intermediate_size: 40, initializer_range: 0.3 },
};
const build = (type: keyof typeof configs) => {
  const config = { model_type: type, ...sizes, ...configs[type] };
  return languageModel(config, initialWeights(config, 1));
};
const prompts = [Int32Array.of(7, 8, 9, 10, 11, 12), Int32Array.of(3, 4), Int32Array.of(5)];
const families = Object.keys(configs) as (keyof typeof configs)[];

describeOnBackends('generation', () => {
  test.each(families)('%s: rows that end early, and a cache that grows several times', async (family) => {
    const model = build(family);
    const before = tf.memory().numTensors;
    const options = { maxNewTokens: 100, stopId: [2, 17], seed: 5, samplesPerPrompt: 4 };
    const completions = await generate(model, prompts, options);
    const lengths = completions.map(({ ids }) => ids.length);
    expect(Math.max(...lengths)).toBeGreaterThan(40); // more columns than a cache grows by at once
    expect(new Set(lengths).size).toBeGreaterThan(4);
    expect(tf.memory().numTensors).toBe(before);
    expect(await generate(model, prompts, { ...options, cache: false })).toEqual(completions);
    const [alone] = await generate(model, [prompts[1]!], { ...options, samplesPerPrompt: 1, streams: [6] });
    expect(alone).toEqual(completions[6]);
    model.dispose();
  });

  test.each(families)('%s: a cache takes one or several tokens at any time', (family) => {
    const model = build(family);
    const before = tf.memory().numTensors;
    const { ids, mask } = padLeft([Int32Array.from({ length: 60 }, (_, i) => 3 + (i % 26)), prompts[0]!]);
    const whole = model.hiddenStates(ids, mask);
    const cache = keyValueCache(2, 60);
    let largest = 0;
    for (const [start, count] of [
      [0, 1],
      [1, 1],
      [2, 20],
      [22, 1],
      [23, 2],
      [25, 1],
      [26, 1],
      [27, 33],
    ] as const) {
      tf.tidy(() => {
        const part = (x: tf.Tensor2D) => tf.slice(x, [0, start], [2, count]);
        const states = model.hiddenStates(part(ids), part(mask), { cache });
        const expected = tf.slice(whole, [0, start, 0], [2, count, -1]);
        // Hidden states of padding mean nothing.
        const difference = tf.mul(tf.sub(states, expected), tf.expandDims(tf.cast(part(mask), 'float32'), 2));
        largest = Math.max(largest, tf.max(tf.abs(difference)).dataSync()[0]!);
      });
    }
    expect(largest).toBeLessThan(1e-4);
    disposeCache(cache);
    tf.dispose([ids, mask, whole]);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  test('the tfjs kernels per token are few, and as many for the last token as for the first', async () => {
    const model = build('gpt2');
    const counts: number[] = [];
    const kernels = tf.getKernelsForBackend(tf.getBackend());
    let count = 0;
    for (const { kernelName, kernelFunc, ...rest } of kernels) {
      tf.unregisterKernel(kernelName, tf.getBackend());
      const counted: tf.KernelFunc = (call) => {
        count++;
        return kernelFunc(call);
      };
      tf.registerKernel({ ...rest, kernelName, kernelFunc: counted });
    }
    const throwIfAborted = () => void counts.push(count);
    await generate(model, prompts, {
      ...{ maxNewTokens: 100, stopId: -1, seed: 1 },
      signal: { throwIfAborted } as unknown as AbortSignal,
    });
    for (const { kernelName } of kernels) tf.unregisterKernel(kernelName, tf.getBackend());
    for (const kernel of kernels) tf.registerKernel(kernel);
    const perToken = counts.map((value, token) => value - (counts[token - 1] ?? 0)).slice(2);
    expect(Math.max(...perToken)).toBeLessThan(60 * layers);
    expect(new Set(perToken).size).toBeLessThanOrEqual(2); // the cache grows, or it does not
    expect(perToken.at(-1)).toBe(perToken[1]);
    model.dispose();
  });
});

/** The cpu backend copies the cache for each token: the plain path. */
describe('generation on a backend that cannot write in place', () => {
  let previous = '';
  beforeAll(async () => {
    previous = tf.getBackend();
    await activate('cpu');
  });
  afterAll(() => tf.setBackend(previous));

  test('gives the same tokens', async () => {
    const options = { maxNewTokens: 45, stopId: 2, seed: 5, samplesPerPrompt: 2 };
    const onCpu = build('gemma3_text');
    const plain = await generate(onCpu, prompts, options);
    onCpu.dispose();
    await activate('wasm');
    const onWasm = build('gemma3_text');
    expect(await generate(onWasm, prompts, options)).toEqual(plain);
    onWasm.dispose();
  });
});
