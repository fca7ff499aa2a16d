import { RarefyError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { generate } from '../generate/generate.js';
import { padLeft } from '../layers/padding.js';
import type { CausalLanguageModel } from './causal-language-model.js';
import { fromForwardModel } from './from-forward-model.js';
import { initialWeights, languageModel, weightsDigest } from './language-model.js';
import { snapshot } from './snapshot.js';

const llama = {
  model_type: 'llama',
  vocab_size: 40,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 24,
  max_position_embeddings: 32,
};
const gpt2 = { model_type: 'gpt2', vocab_size: 40, n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32 };
const familyModel = (config: object) => () => languageModel(config, initialWeights(config, 1));

/** A model of one's own, with a bias in its head that it does not list among its parameters. */
function ownModel(): CausalLanguageModel {
  const inner = languageModel(llama, initialWeights(llama, 1));
  const bias = tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R1>([40])));
  const model = fromForwardModel(
    {
      forward: (ids, mask) =>
        tf.tidy(() => {
          const { logits, hiddenStates } = inner.forward(ids, mask);
          return { logits: tf.add<tf.Tensor3D>(logits, bias), hiddenStates };
        }),
    },
    { head: { weight: inner.head.weight, bias }, maxPositions: 32, parameters: inner.parameters },
  );
  return { ...model, dispose: () => void [inner.dispose(), bias.dispose()] };
}
const models: Record<string, () => CausalLanguageModel> = {
  llama: familyModel(llama),
  nanochat: familyModel({ ...llama, model_type: 'nanochat' }),
  gpt2: familyModel(gpt2),
  own: ownModel,
};

/** One optimizer step with gradients of ones. Also changes the bias of the head. */
function trainStep({ parameters, head }: CausalLanguageModel): void {
  const optimizer = tf.train.adam(0.1);
  const gradients = Object.fromEntries(Object.values(parameters).map((value) => [value.name, tf.onesLike(value)]));
  optimizer.applyGradients(gradients);
  optimizer.dispose();
  tf.dispose(gradients);
  if (head.bias) tf.tidy(() => (head.bias as unknown as tf.Variable).assign(tf.ones([40])));
}

/** Hidden states, logits and a completion. */
async function numbersOf(model: CausalLanguageModel) {
  const rows = [Int32Array.of(1, 2, 3), Int32Array.of(7)];
  const { ids, mask } = padLeft(rows);
  const { logits, hiddenStates } = model.forward(ids, mask);
  const [states, scores] = [[...hiddenStates.dataSync()], [...logits.dataSync()]];
  tf.dispose([ids, mask, logits, hiddenStates]);
  const [completion] = await generate(model, rows, { maxNewTokens: 6, stopId: 0, seed: 2, samplesPerPrompt: 2 });
  return { states, scores, completion: [...completion!.ids] };
}

describe.each(['cpu', 'wasm'] as const)('on %s', (backend) => {
  beforeAll(() => activate(backend));

  test.each(Object.entries(models))('a snapshot of %s keeps its weights while the model trains', async (_, create) => {
    const model = create();
    const before = await numbersOf(model);
    const memory = { ...tf.memory() };
    {
      using frozen = snapshot(model);
      expect(tf.memory().numDataBuffers).toBeLessThanOrEqual(memory.numDataBuffers + 2); // rotary tables, but no weights
      const fingerprint = await weightsDigest(model);
      expect(await numbersOf(frozen)).toEqual(before);
      trainStep(model);
      const after = await numbersOf(model);
      expect(after.states).not.toEqual(before.states);
      expect(after.scores).not.toEqual(before.scores);
      expect(await numbersOf(frozen)).toEqual(before);
      expect(await numbersOf(model)).toEqual(after);
      expect(await frozen.fingerprint()).toBe(fingerprint);
      expect(await frozen.fingerprint()).not.toBe(await weightsDigest(model));
      const again = snapshot(frozen);
      expect(await numbersOf(again)).toEqual(before);
      again.dispose();
      again.dispose();
      expect(await numbersOf(frozen)).toEqual(before);
    }
    expect(tf.memory().numTensors).toBe(memory.numTensors);
    expect(tf.memory().numDataBuffers).toBe(memory.numDataBuffers);
    model.dispose();
  });
});

describe('a snapshot', () => {
  beforeAll(() => activate('cpu'));

  test.each(Object.entries(models))('of %s gets no gradient, and gives none to the model', (_, create) => {
    const model = create();
    using frozen = snapshot(model);
    trainStep(model);
    const { ids, mask } = padLeft([Int32Array.of(1, 2, 3)]);
    const through = (policy: CausalLanguageModel) => tf.mean(tf.square(policy.forward(ids, mask).logits));
    const variables = Object.values(model.parameters);
    const alone = tf.variableGrads(() => through(model) as tf.Scalar, variables).grads;
    const both = tf.variableGrads(() => tf.add(through(model), through(frozen)) as tf.Scalar, variables).grads;
    for (const [name, gradient] of Object.entries(alone)) {
      expect([...both[name]!.dataSync()]).toEqual([...gradient.dataSync()]);
    }
    tf.dispose([ids, mask, alone, both]);
    model.dispose();
  });

  test('of a built-in family outlives the model, disposed even twice', async () => {
    const model = models.llama!();
    const before = await numbersOf(model);
    using frozen = snapshot(model);
    model.dispose();
    model.dispose();
    expect(await numbersOf(frozen)).toEqual(before);
  });

  test('of one’s own model says that the model was disposed', async () => {
    const model = ownModel();
    using frozen = snapshot(model);
    model.dispose();
    await expect(numbersOf(frozen)).rejects.toThrow('are disposed');
  });

  test.each(Object.entries(models))('of %s that is disposed says so', (_, create) => {
    const model = create();
    const frozen = snapshot(model);
    frozen.dispose();
    const { ids, mask } = padLeft([Int32Array.of(1)]);
    for (const use of [
      () => frozen.hiddenStates(ids, mask),
      () => frozen.forward(ids, mask),
      () => frozen.logits(tf.zeros([1, 16])),
      () => frozen.fingerprint(),
    ]) {
      expect(use).toThrow('this snapshot is disposed');
      expect(use).toThrow(RarefyError);
    }
    expect(() => snapshot(frozen)).toThrow('take the snapshot before you dispose the model');
    model.dispose();
    expect(() => snapshot(Promise.resolve(model) as never)).toThrow('got a promise; did you forget await?');
    tf.dispose([ids, mask]);
  });

  test('of a model without weights is refused, and a failing forward puts the current weights back', () => {
    const weight = tf.zeros<tf.Rank.R2>([40, 16]);
    let isBroken = false;
    const forward = (ids: tf.Tensor2D) => {
      if (isBroken) throw new Error('broken');
      const [batch, length] = ids.shape;
      return {
        logits: tf.zeros<tf.Rank.R3>([batch, length, 40]),
        hiddenStates: tf.zeros<tf.Rank.R3>([batch, length, 16]),
      };
    };
    const bare = fromForwardModel({ forward }, { head: { weight }, maxPositions: 8, name: 'bare' });
    expect(() => snapshot(bare)).toThrow('the model lists no parameters');
    const variable = tf.variable(weight);
    const broken = fromForwardModel({ forward }, { head: { weight }, maxPositions: 8, parameters: { w: variable } });
    using frozen = snapshot(broken);
    isBroken = true;
    tf.tidy(() => variable.assign(tf.ones([40, 16])));
    const { ids, mask } = padLeft([Int32Array.of(1)]);
    expect(() => frozen.hiddenStates(ids, mask)).toThrow('broken');
    expect(variable.dataSync()[0]).toBe(1);
    tf.dispose([ids, mask, weight, variable]);
  });
});

test('models of one’s own have different fingerprints, or need a name', async () => {
  await activate('cpu');
  const weight = tf.zeros<tf.Rank.R2>([40, 16]);
  const own = (options: object) =>
    fromForwardModel({ forward: () => ({}) as never }, { head: { weight }, maxPositions: 8, ...options });
  const variable = tf.variable(weight);
  const all = [
    own({ name: 'a' }),
    own({ name: 'b' }),
    own({ parameters: { variable } }),
    own({ parameters: { other: variable } }),
    own({ parameters: { variable }, name: 'a' }),
  ];
  expect(new Set(await Promise.all(all.map(weightsDigest))).size).toBe(all.length);
  await expect(weightsDigest(own({}))).rejects.toThrow('neither parameters nor a name');
  tf.dispose([weight, variable]);
});
