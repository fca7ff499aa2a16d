import { type CausalLanguageModel, fromForwardModel, generate } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { meanLogits, meanPool } from '../packages/embedders/src/causal-lm/pooling.js';
import { vocabularyIsometry } from '../packages/embedders/src/causal-lm/vocabulary-isometry.js';
import { describeOnBackends } from './support/backends.js';
import {
  goldenFamilies,
  goldenJson,
  goldenModel,
  goldenTensors,
  pairDistances,
  relativeError,
} from './support/golden.js';

const { models: reference } = goldenJson();

for (const family of goldenFamilies) {
  describeOnBackends(`the ${family} family against transformers`, () => {
    let model: CausalLanguageModel;
    let golden: Awaited<ReturnType<typeof goldenTensors>>;

    beforeAll(async () => {
      golden = await goldenTensors(family);
      model = await goldenModel(family);
    });
    afterAll(() => model.dispose());

    test('last hidden states and logits, at real tokens', () => {
      const before = tf.memory().numTensors;
      const [ids, mask] = [golden.ints('embed.input_ids'), golden.ints('embed.attention_mask')];
      const { logits, hiddenStates } = model.forward(ids, mask);
      const real = mask.dataSync();
      // Values at padding are meaningless: set them to zero on both sides.
      const masked = (all: ArrayLike<number>) =>
        Float32Array.from(all, (value, i) => value * real[Math.floor(i / (all.length / real.length))]!);
      const expected = (name: string) => masked(golden.floats(`embed.${name}`));
      expect(relativeError(masked(hiddenStates.dataSync()), expected('last_hidden_state'))).toBeLessThan(1e-4);
      expect(relativeError(masked(logits.dataSync()), expected('logits'))).toBeLessThan(1e-4);
      tf.dispose([ids, mask, logits, hiddenStates]);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('normalized masked means of hidden states and logits, and their distances through the isometry', async () => {
      const before = tf.memory().numTensors;
      const [ids, mask] = [golden.ints('embed.input_ids'), golden.ints('embed.attention_mask')];
      const hidden = model.hiddenStates(ids, mask);
      const pooled = meanPool(hidden, mask);
      const logits = meanLogits(model, hidden, mask);
      const unit = (all: Float32Array, width: number) => {
        for (let start = 0; start < all.length; start += width) {
          const length = Math.hypot(...all.subarray(start, start + width)) + 1e-8;
          for (let i = start; i < start + width; i++) all[i]! /= length;
        }
        return all;
      };
      const { hiddenSize, vocabularySize, softCap } = model.description;
      const expected = golden.floats('embed.mean_logits_l2');
      const states = pooled.dataSync<'float32'>().slice();
      expect(relativeError(unit(logits.dataSync<'float32'>().slice(), vocabularySize), expected)).toBeLessThan(1e-4);
      if (softCap === undefined) {
        const weight = model.head.weight.dataSync<'float32'>();
        const isometry = await vocabularyIsometry({ weight, vocabulary: vocabularySize, hidden: hiddenSize });
        const short = unit(Float32Array.from(isometry.apply(states, 4)), hiddenSize);
        expect(relativeError(pairDistances(short, hiddenSize), pairDistances(expected, vocabularySize))).toBeLessThan(
          1e-4,
        );
      }
      expect(relativeError(unit(states, hiddenSize), golden.floats('embed.mean_hidden_l2'))).toBeLessThan(1e-4);
      tf.dispose([ids, mask, hidden, pooled, logits]);
      expect(tf.memory().numTensors).toBe(before);
    });

    test.each([true, false])('greedy completion, token by token, with the cache %s', async (cache) => {
      const { prompt, completion } = reference[family].greedy;
      const before = tf.memory().numTensors;
      const options = { maxNewTokens: completion.length, stopId: -1, temperature: 0, seed: 1, cache };
      const [alone] = await generate(model, [Int32Array.from(prompt)], options);
      expect([...alone!.ids]).toEqual(completion);
      const longer = Int32Array.from([5, 6, 7, 8, 9, 10, 11, 12]);
      const mixed = await generate(model, [longer, Int32Array.from(prompt)], { ...options, samplesPerPrompt: 2 });
      expect(mixed.slice(2).map(({ ids }) => [...ids])).toEqual([completion, completion]);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('a model with only a forward function embeds and generates the same', async () => {
      const custom = fromForwardModel(
        { forward: (ids, mask) => model.forward(ids, mask) },
        { head: model.head, maxPositions: 64 },
      );
      const before = tf.memory().numTensors;
      const [ids, mask] = [golden.ints('embed.input_ids'), golden.ints('embed.attention_mask')];
      const [own, theirs] = [model.hiddenStates(ids, mask), custom.hiddenStates(ids, mask)];
      expect([...theirs.dataSync()]).toEqual([...own.dataSync()]);
      tf.dispose([ids, mask, own, theirs]);
      const { prompt, completion } = reference[family].greedy;
      const options = { maxNewTokens: completion.length, stopId: -1, temperature: 0, seed: 1 };
      expect([...(await generate(custom, [Int32Array.from(prompt)], options))[0]!.ids]).toEqual(completion);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('sampled completions do not depend on cache, batch or order', async () => {
      const prompts = [Int32Array.from([257, 284, 248]), Int32Array.from([9, 10, 11, 12, 13])];
      const options = { maxNewTokens: 8, stopId: 2, topK: 20, topP: 0.9, seed: 3 };
      const together = await generate(model, prompts, { ...options, samplesPerPrompt: 2 });
      const whole = await generate(model, prompts, { ...options, samplesPerPrompt: 2, cache: false });
      const [alone] = await generate(model, [prompts[1]!], { ...options, streams: [3] });
      expect(whole).toEqual(together);
      expect(alone).toEqual(together[3]);
    });
  });
}
