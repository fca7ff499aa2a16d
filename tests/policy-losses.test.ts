import { completionLogProbabilities, dapoLoss, grpoLoss, type PolicyLoss } from '@rarefy/grpo';
import { accumulateGradients, adamW, type CausalLanguageModel } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';
import { goldenFamilies, goldenJson, goldenModel, goldenTensors, relativeError } from './support/golden.js';

const { models: reference } = goldenJson();
const embeddings = {
  gpt2: 'transformer.wte.weight',
  llama: 'model.embed_tokens.weight',
  nanochat: 'model.embed_tokens.weight',
};

for (const family of goldenFamilies) {
  describeOnBackends(`policy losses of the ${family} family against TRL`, () => {
    let model: CausalLanguageModel;
    let golden: Awaited<ReturnType<typeof goldenTensors>>;
    let inputs: ReturnType<typeof read>;

    const read = () => ({
      promptIds: golden.ints('grpo.prompt_ids'),
      promptMask: golden.ints('grpo.prompt_mask'),
      completionIds: golden.ints('grpo.completion_ids'),
      completionMask: golden.ints('grpo.completion_mask'),
      oldLogProbabilities: golden.matrix('grpo.old_per_token_logps'),
      referenceLogProbabilities: golden.matrix('grpo.ref_per_token_logps'),
      advantages: golden.vector('grpo.advantages'),
      // Without positions, transformers counts padding too.
      positions: tf.tidy(() => tf.tile(tf.expandDims(tf.range(0, 22, 1, 'int32'), 0), [8, 1])) as tf.Tensor2D,
    });
    const lossOf =
      (policyLoss: PolicyLoss, rows = [0, 8]) =>
      () =>
        tf.tidy(() => {
          const take = <T extends tf.Tensor>(tensor: T) => tf.slice(tensor, rows[0]!, rows[1]! - rows[0]!);
          const part = Object.fromEntries(
            Object.entries(inputs).map(([name, tensor]) => [name, take(tensor)]),
          ) as typeof inputs;
          const logProbabilities = completionLogProbabilities(model, part, { positions: part.positions });
          const totals = { sequences: 8, tokens: inputs.completionMask.sum().dataSync()[0]! };
          return policyLoss.loss({ ...part, logProbabilities, mask: part.completionMask }, totals);
        });

    beforeEach(async () => {
      golden = await goldenTensors(family);
      model = await goldenModel(family);
      inputs = read();
    });
    afterEach(() => {
      model.dispose();
      tf.dispose(Object.values(inputs));
    });

    test('log-probabilities of completion tokens', () => {
      const actual = completionLogProbabilities(model, inputs, { positions: inputs.positions });
      const mask = inputs.completionMask.dataSync();
      const masked = (values: ArrayLike<number>) => Float32Array.from(values, (value, i) => value * mask[i]!);
      expect(relativeError(masked(actual.dataSync()), masked(golden.floats('grpo.per_token_logps')))).toBeLessThan(
        1e-4,
      );
      actual.dispose();
    });

    test.each([
      ['grpo', grpoLoss({ beta: 0.04 })],
      ['grpo_nokl', grpoLoss()],
      ['dapo', dapoLoss({ epsilon: 0.2, epsilonHigh: 0.28 })],
    ] as const)(
      '%s: the loss and the gradient of the token embedding, whole and in micro-batches',
      async (name, loss) => {
        for (const parts of [
          [[0, 8]],
          [
            [0, 3],
            [3, 8],
          ],
        ]) {
          const before = tf.memory().numTensors;
          const result = await accumulateGradients(
            model.parameters,
            parts.map((rows) => lossOf(loss, rows)),
          );
          expect(Math.abs(result.loss - reference[family][name].loss)).toBeLessThan(1e-4);
          const gradient = result.gradients[model.parameters[embeddings[family]]!.name]!.dataSync().slice();
          // In nanochat's embedding torch gives the padding id no gradient; no row has it as a real token.
          expect(relativeError(gradient, golden.floats(`grpo.grad.${name}.${embeddings[family]}`))).toBeLessThan(1e-3);
          tf.dispose(result.gradients);
          expect(tf.memory().numTensors).toBe(before);
        }
      },
    );

    test('three AdamW steps', async () => {
      const { losses, lr, weight_decay: weightDecay } = reference[family].adamw_trajectory;
      const optimizer = adamW(model.parameters, { learningRate: lr, weightDecay });
      for (const expected of losses) {
        const { loss, gradients } = await accumulateGradients(model.parameters, [lossOf(grpoLoss({ beta: 0.04 }))]);
        expect(Math.abs(loss - expected)).toBeLessThan(1e-4);
        optimizer.step(gradients);
        tf.dispose(gradients);
      }
      optimizer.dispose();
    });
  });
}
