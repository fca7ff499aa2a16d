import { readFileSync } from 'node:fs';
import {
  completionLogProbabilities,
  completionLogProbabilitiesAndEntropies,
  grpoLoss,
  type PolicyLoss,
  policyLosses,
} from '@rarefy/grpo';
import { readSafetensors, toFloat32 } from '@rarefy/io';
import type { CausalLanguageModel } from '@rarefy/lm';
import { accumulateGradients, adamW } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';
import { goldenFamilies, goldenJson, goldenModel, goldenPath, goldenTensors, relativeError } from './support/golden.js';

const { models: reference } = goldenJson();
const embeddings = {
  gpt2: 'transformer.wte.weight',
  llama: 'model.embed_tokens.weight',
  nanochat: 'model.embed_tokens.weight',
};

/** Options of a GRPOConfig of TRL. */
type Config = Readonly<Record<string, string | number>>;

/** A loss by the names of TRL. */
function lossOfConfig({ loss_type: type, ...options }: Config): PolicyLoss {
  const camel = (name: string) =>
    name.replace(/^(sapo|vespo)_/, '').replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const named = Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));
  // In one batch bnpo is dapo.
  const create = policyLosses[(type === 'bnpo' ? 'dapo' : type) as keyof typeof policyLosses];
  return (create as (options: object) => PolicyLoss)(named);
}

const more = JSON.parse(readFileSync(goldenPath('trl/losses.json'), 'utf8'));
const { tensors: moreGradients } = await readSafetensors(goldenPath('trl/losses.safetensors'));
const first = ['grpo', 'grpo_nokl', 'bnpo', 'dr_grpo', 'dapo', 'cispo', 'sapo', 'gspo', 'two_sided'];
const cases = [
  ...first.map((name) => ({ name, config: reference.llama[name].config as Config })),
  ...Object.entries<Config>(more.cases).map(([name, config]) => ({ name, config })),
];
/** Their value depends on the micro-batch. */
const isPerBatch = ({ config }: { config: Config }) => config.loss_type === 'bnpo' || 'top_entropy_quantile' in config;

/** Loss, gradient norm if known, and gradient of the token embedding of a case, from TRL. */
function expectedOf(
  name: string,
  family: (typeof goldenFamilies)[number],
  golden: Awaited<ReturnType<typeof goldenTensors>>,
) {
  if (!first.includes(name))
    return { loss: more.loss[family][name], gradient: toFloat32(moreGradients.get(`${family}.${name}`)!) };
  const { loss, grad_norm: norm } = reference[family][name];
  return { loss, norm, gradient: golden.floats(`grpo.grad.${name}.${embeddings[family]}`) };
}

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
          const current = completionLogProbabilitiesAndEntropies(model, part, { positions: part.positions });
          const tokens = inputs.completionMask.sum().dataSync()[0]!;
          const totals = { sequences: 8, tokens, maxCompletionLength: inputs.completionIds.shape[1] };
          return policyLoss.loss({ ...part, ...current, mask: part.completionMask }, totals);
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

    test.each(cases)('$name: the loss and its gradient, whole and in micro-batches', async ({ name, config }) => {
      const { loss, norm, gradient } = expectedOf(name, family, golden);
      const whole = [[0, 8]];
      const parts = [
        [0, 3],
        [3, 8],
      ];
      for (const rows of isPerBatch({ config }) ? [whole] : [whole, parts]) {
        const before = tf.memory().numTensors;
        const result = await accumulateGradients(
          model.parameters,
          rows.map((range) => lossOf(lossOfConfig(config), range)),
        );
        expect(Math.abs(result.loss / loss - 1), name).toBeLessThan(1e-4);
        const actual = result.gradients[model.parameters[embeddings[family]]!.name]!.dataSync().slice();
        // In nanochat's embedding torch gives the padding id no gradient; no row has it as a real token.
        expect(relativeError(actual, gradient)).toBeLessThan(1e-3);
        if (norm !== undefined) {
          const squares = Object.values(result.gradients).map((one) =>
            one.dataSync<'float32'>().reduce((sum: number, value: number) => sum + value ** 2, 0),
          );
          expect(Math.abs(Math.sqrt(squares.reduce((sum, square) => sum + square)) / norm - 1)).toBeLessThan(1e-3);
        }
        tf.dispose(result.gradients);
        expect(tf.memory().numTensors).toBe(before);
      }
    });

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
