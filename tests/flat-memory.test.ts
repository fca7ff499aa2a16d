import { grpoLoader, lengthReward, trainGrpo } from '@rarefy/grpo';
import { weightedSampler } from '@rarefy/samplers';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';
import { config, newModel, prompts, tokenizer } from './support/tiny-policy.js';

const steps = 1000;

/** Bytes of the heap of the wasm module, which never shrinks; 0 on other backends. */
function heapBytes(): number {
  const { wasm } = tf.backend() as unknown as { wasm?: { HEAPU8: Uint8Array } };
  return wasm?.HEAPU8.buffer.byteLength ?? 0;
}

/** Memory of the process without the heap of V8, which grows and shrinks as it likes. */
function nativeBytes(): number {
  const { rss, heapTotal } = process.memoryUsage();
  return rss - heapTotal;
}

describeOnBackends(`${steps} GRPO steps`, () => {
  test('use no more memory at the end than after 50', { timeout: 600_000 }, async () => {
    const model = newModel();
    const sampler = weightedSampler([1, 2, 3, 1], { seed: 1 });
    const seen: { step: number; held: object; native: number }[] = [];
    await trainGrpo({ model, tokenizer, config }, grpoLoader(prompts, { sampler, batchSize: 1, groupSize: 2 }), {
      rewards: [{ name: 'length', reward: lengthReward({ target: 2 }) }],
      ...{ seed: 1, steps, learningRate: 1e-3, maxCompletionLength: 2, maxGradNorm: 1 },
      onEvent() {},
      onStep(step) {
        if (step % 50 !== 0) return;
        const { numTensors: tensors, numBytes: bytes } = tf.memory();
        seen.push({ step, held: { tensors, bytes, heap: heapBytes() }, native: nativeBytes() });
      },
    });
    expect(seen.map(({ step }) => step)).toEqual(Array.from({ length: steps / 50 }, (_, index) => 50 * (index + 1)));
    for (const { step, held } of seen) expect(held, `step ${step}`).toEqual(seen[0]!.held);
    // 1 to 3 MiB measured; a kilobyte that each of about 500 ops per step leaks would be 475 MiB.
    expect(seen.at(-1)!.native - seen[0]!.native).toBeLessThan(32 * 2 ** 20);
    model.dispose();
  });
});
