import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';
import {
  activate,
  type CausalLanguageModel,
  checkTrainable,
  fromForwardModel,
  fromLayersModel,
  generate,
  initialWeights,
  languageModel,
  loadLanguageModel,
  loadWeights,
  padLeft,
  padRight,
  saveLanguageModel,
  snapshot,
  weightsDigest,
} from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { shuffled, type TrainingExample, trainLanguageModel } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const tokenizer = trainBytePairTokenizer(['one two three', 'two three four'], { vocabularySize: 270 });
const vocabulary = tokenizer.vocabularySize;
const { glorotUniform } = tf.initializers;

interface LayersOptions {
  readonly seed?: number;
  readonly length?: number | null;
  readonly useBias?: boolean;
  readonly frozen?: boolean;
}

function sequential({ seed = 1, length = 12, useBias = true, frozen = false }: LayersOptions = {}): tf.Sequential {
  const init = (offset: number) => glorotUniform({ seed: seed + offset });
  return tf.sequential({
    layers: [
      tf.layers.embedding({
        inputDim: vocabulary,
        outputDim: 12,
        trainable: !frozen,
        embeddingsInitializer: init(1),
        ...(length === null ? { batchInputShape: [null, null as never] } : { inputLength: length }),
      }),
      tf.layers.gru({ units: 10, returnSequences: true, kernelInitializer: init(2), recurrentInitializer: init(3) }),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: vocabulary, useBias, kernelInitializer: init(4), biasInitializer: init(5) as never }),
    ],
  });
}

/** A functional model that also takes the mask. */
function functional(): tf.LayersModel {
  const ids = tf.input({ shape: [16], dtype: 'int32' });
  const mask = tf.input({ shape: [16] });
  const embedded = tf.layers
    .embedding({ inputDim: vocabulary, outputDim: 8, embeddingsInitializer: glorotUniform({ seed: 3 }) })
    .apply(ids) as tf.SymbolicTensor;
  const wide = tf.layers.reshape({ targetShape: [16, 1] }).apply(mask) as tf.SymbolicTensor;
  const joined = tf.layers.concatenate().apply([embedded, wide]) as tf.SymbolicTensor;
  const hidden = tf.layers
    .simpleRNN({ units: 9, returnSequences: true, kernelInitializer: glorotUniform({ seed: 4 }) })
    .apply(joined) as tf.SymbolicTensor;
  const head = tf.layers.dense({ units: vocabulary, kernelInitializer: glorotUniform({ seed: 5 }) });
  return tf.model({ inputs: [ids, mask], outputs: head.apply(hidden) as tf.SymbolicTensor });
}

const values = ({ parameters }: CausalLanguageModel) =>
  Object.fromEntries(Object.entries(parameters).map(([name, variable]) => [name, [...variable.dataSync()]]));
const train = (model: CausalLanguageModel, options = {}) => {
  const examples: TrainingExample[] = [
    [1, 2, 3, 4],
    [5, 6, 7],
  ].map((ids) => ({
    ids: Int32Array.from(ids),
    firstTrained: 1,
  }));
  const data = { kind: 'base' as const, examples: shuffled(examples, { batchSize: 2, seed: 1 }), data: 'test' };
  return trainLanguageModel({ model, tokenizer }, { ...data, steps: 4, learningRate: 0.05, ...options });
};

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-own-'))));
afterEach(() => rm(folder, { recursive: true }));

describe.each(['cpu', 'wasm'] as const)('a tf.layers model on %s', (backend) => {
  beforeAll(() => activate(backend));

  test('gives the logits of predict, on either side of padding', async () => {
    const layers = sequential();
    const model = fromLayersModel(layers);
    const row = Int32Array.of(5, 6, 7, 8);
    const padded = new Int32Array(12);
    padded.set(row);
    const expected = (layers.predict(tf.tensor2d(padded, [1, 12], 'int32')) as tf.Tensor).dataSync();
    for (const [pad, start] of [
      [padLeft, 2],
      [padRight, 0],
    ] as const) {
      const { ids, mask } = pad([Int32Array.of(1, 2, 3, 4, 5, 6), row]);
      const { logits } = model.forward(ids, mask);
      const own = logits.dataSync().subarray((6 + start) * vocabulary, (10 + start) * vocabulary);
      for (let index = 0; index < own.length; index++) expect(own[index]).toBeCloseTo(expected[index]!, 4);
    }
    expect(model.description).toMatchObject({ vocabularySize: vocabulary, hiddenSize: 10, maxPositions: 12 });
    const weight = layers.layers[3]!.weights[0]!.read();
    expect([...model.head.weight.dataSync()]).toEqual([...tf.transpose(weight).dataSync()]);
  });

  test('trains every parameter, keeps frozen ones, and loses no tensor per step', async () => {
    const layers = sequential({ frozen: true });
    const model = fromLayersModel(layers);
    expect(Object.keys(model.frozen!)).toEqual(['layers.0.embeddings']);
    expect(Object.keys(model.parameters)).toEqual([
      'layers.1.kernel',
      'layers.1.recurrent_kernel',
      'layers.1.bias',
      'layers.3.kernel',
      'layers.3.bias',
    ]);
    const [before, frozen] = [values(model), [...model.frozen!['layers.0.embeddings']!.dataSync()]];
    const losses: number[] = [];
    const counts: number[] = [];
    await train(model, {
      onStep: (_: number, { loss }: { loss: number }) => {
        losses.push(loss);
        counts.push(tf.memory().numTensors);
      },
    });
    expect(losses[3]).toBeLessThan(losses[0]!);
    expect(new Set(counts).size).toBe(1);
    for (const [name, value] of Object.entries(values(model))) expect(value, name).not.toEqual(before[name]);
    expect([...model.frozen!['layers.0.embeddings']!.dataSync()]).toEqual(frozen);
  });

  test('has snapshots, and generates', async () => {
    const model = fromLayersModel(sequential());
    const complete = (of: CausalLanguageModel) =>
      generate(of, [Int32Array.of(1, 2), Int32Array.of(3)], { maxNewTokens: 5, stopId: 0, seed: 1 });
    const before = await complete(model);
    using frozen = snapshot(model);
    const weight = [...model.head.weight.dataSync()];
    await train(model);
    expect(await complete(model)).not.toEqual(before);
    expect(await complete(frozen)).toEqual(before);
    expect([...frozen.head.weight.dataSync()]).toEqual(weight);
    expect([...model.head.weight.dataSync()]).not.toEqual(weight);
  });
});

describe('a tf.layers model', () => {
  beforeAll(() => activate('cpu'));

  test('may be functional, take the mask, and have no bias or length', () => {
    const model = fromLayersModel(functional());
    checkTrainable(model);
    const [left, right] = [padLeft, padRight].map((pad) => {
      const { ids, mask } = pad([Int32Array.of(1, 2), Int32Array.of(4, 5, 6)]);
      return [...model.hiddenStates(ids, mask).dataSync()];
    });
    expect(left!.slice(9, 27)).toEqual(right!.slice(0, 18));
    expect(left!.slice(27)).toEqual(right!.slice(27));
    const open = fromLayersModel(sequential({ length: null, useBias: false }), { maxPositions: 40 });
    checkTrainable(open);
    expect(open.head.bias).toBeUndefined();
    expect(() => fromLayersModel(sequential({ length: null }))).toThrow('give fromLayersModel `maxPositions`');
    expect(() => fromLayersModel(sequential(), { maxPositions: 13 })).toThrow('maxPositions');
    expect(() => fromLayersModel(sequential(), { maxPosition: 8 } as never)).toThrow('did you mean "maxPositions"?');
  });

  test('needs a Dense layer without activation at its end', () => {
    const first = tf.layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 4 });
    const softmax = tf.sequential({ layers: [first, tf.layers.dense({ units: 9, activation: 'softmax' })] });
    expect(() => fromLayersModel(softmax)).toThrow("its activation is 'softmax'");
    const recurrent = tf.sequential({
      layers: [
        tf.layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 4 }),
        tf.layers.gru({ units: 3, returnSequences: true }),
      ],
    });
    expect(() => fromLayersModel(recurrent)).toThrow('the last layer is GRU');
  });

  test('saved weights load into the same architecture again, and refuse another', async () => {
    const [model, other] = [fromLayersModel(sequential({ frozen: true })), fromLayersModel(sequential({ seed: 50 }))];
    await saveLanguageModel(folder, { model, tokenizer });
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toMatchObject({ model_type: 'custom' });
    await loadWeights(other, folder);
    const all = (of: CausalLanguageModel) => values({ ...of, parameters: { ...of.frozen, ...of.parameters } });
    expect(all(other)).toEqual(all(model));
    expect(await weightsDigest(other)).toBe(await weightsDigest(model));
    await expect(loadLanguageModel(folder)).rejects.toThrow('loadWeights(model, folder)');
    const wider = fromLayersModel(functional());
    await expect(loadWeights(wider, folder)).rejects.toThrow('has weights that the model does not list: layers.0');
    const { 'layers.3.bias': _, ...listed } = other.parameters;
    await expect(loadWeights({ ...other, parameters: listed }, folder)).rejects.toThrow('layers.3.bias');
    await expect(loadWeights(fromLayersModel(sequential({ useBias: false })), folder)).rejects.toThrow('layers.3.bias');
  });

  test('a run resumes with frozen weights that were built anew', async () => {
    const whole = fromLayersModel(sequential({ frozen: true }));
    await train(whole);
    const checkpoint = { folder };
    await train(fromLayersModel(sequential({ frozen: true })), { steps: 2, checkpoint });
    const resumed = fromLayersModel(sequential({ frozen: true, seed: 90 }));
    await train(resumed, { checkpoint: { ...checkpoint, resume: true } });
    expect(values(resumed)).toEqual(values(whole));
  });
});

describe('a model of one’s own is checked before it trains', () => {
  beforeAll(() => activate('cpu'));

  /** Embedding, one dense layer, head. */
  function parts() {
    const normal = (shape: [number, number], seed: number) =>
      tf.variable(tf.randomNormal<tf.Rank.R2>(shape, 0, 1, 'float32', seed));
    const weights = { embedding: normal([20, 6], 1), dense: normal([6, 6], 2), head: normal([20, 6], 3) };
    const forward = (head: tf.Tensor2D = weights.head, factor = 1) => ({
      forward: (ids: tf.Tensor2D) =>
        tf.tidy(() => {
          const [batch, length] = ids.shape;
          const flat = tf.matMul(tf.gather(weights.embedding, tf.reshape(ids, [-1])), weights.dense);
          return {
            hiddenStates: tf.reshape(flat, [batch, length, 6]) as tf.Tensor3D,
            logits: tf.reshape(tf.mul(tf.matMul(flat, head, false, true), factor), [batch, length, -1]) as tf.Tensor3D,
          };
        }),
    });
    return { weights, forward };
  }

  test('another head, bias, cap or factor than that of forward is refused, naming the difference', async () => {
    const { weights, forward } = parts();
    const base = { maxPositions: 8, parameters: weights };
    const check = (model: Parameters<typeof fromForwardModel>[0], head: object) =>
      checkTrainable(fromForwardModel(model, { ...base, head: { weight: weights.head, ...head } }));
    const bias = tf.tensor1d(Array.from({ length: 20 }, (_, token) => (token === 7 ? 2 : 0)));
    check(forward(), {});
    expect(() => check(forward(), { bias })).toThrow(/for token \d+, logit 7 is -?[\d.]+ in `forward` and/);
    expect(() => check(forward(), { weight: tf.randomNormal([20, 6]) })).toThrow('are not those of the head');
    expect(() => check(forward(), { softCap: 2 })).toThrow('are not those of the head');
    expect(() => check(forward(weights.head, 0.5), {})).toThrow('are not those of the head');
    expect(() => check(forward(tf.zeros([19, 6])), {})).toThrow('returned logits of shape [1,4,19]');
    expect(() => check(forward(weights.head, Number.NaN), {})).toThrow('NaN in `forward`');
    const model = fromForwardModel(forward(), { ...base, head: { weight: weights.head, bias } });
    await expect(train(model)).rejects.toThrow('are not those of the head');
  });

  test('forgotten and unreached parameters are refused, and frozen ones are not forgotten', () => {
    const { weights, forward } = parts();
    const { dense, ...rest } = weights;
    const check = (options: object) =>
      checkTrainable(fromForwardModel(forward(), { maxPositions: 8, head: { weight: weights.head }, ...options }));
    check({ parameters: rest, frozen: { dense } });
    expect(() => check({ parameters: rest })).toThrow(`does not list: ${dense.name}`);
    expect(() => check({ parameters: { ...weights, extra: tf.variable(tf.ones([2])) } })).toThrow(
      'no gradient reaches the parameters extra',
    );
    expect(() => check({})).toThrow('lists no parameters');
    dense.trainable = false; // tfjs's own way to freeze
    check({ parameters: rest });
  });

  test('a model that is not causal is refused before its first step', async () => {
    const { weights, forward } = parts();
    const looksAhead = {
      forward: (ids: tf.Tensor2D) =>
        tf.tidy(() => {
          const { hiddenStates } = forward().forward(ids);
          const states = tf.add<tf.Tensor3D>(hiddenStates, tf.mean(hiddenStates, 1, true));
          const rows = tf.matMul(tf.reshape(states, [-1, 6]) as tf.Tensor2D, weights.head, false, true);
          return { hiddenStates: states, logits: tf.reshape(rows, [...ids.shape, -1]) as tf.Tensor3D };
        }),
    };
    const model = fromForwardModel(looksAhead, {
      head: { weight: weights.head },
      maxPositions: 8,
      parameters: weights,
    });
    await expect(train(model)).rejects.toThrow(InvalidArgumentError);
    await expect(train(model)).rejects.toThrow(
      /the model is not causal: when token 4 of a row changes, .* token 1 changes/,
    );
  });

  test('generation and snapshots also compare the logits with the head, once per model', async () => {
    const { weights, forward } = parts();
    let calls = 0;
    const counted = (factor: number) => ({
      forward: (ids: tf.Tensor2D) => {
        calls++;
        return forward(weights.head, factor).forward(ids);
      },
    });
    const own = (factor: number) =>
      fromForwardModel(counted(factor), { head: { weight: weights.head }, maxPositions: 8, parameters: weights });
    const options = { maxNewTokens: 2, stopId: 19, seed: 1 };
    await expect(generate(own(2), [Int32Array.of(1)], options)).rejects.toThrow('are not those of the head');
    expect(() => snapshot(own(2))).toThrow('are not those of the head');
    const model = own(1);
    calls = 0;
    snapshot(model).dispose();
    await generate(model, [Int32Array.of(1)], { ...options, maxNewTokens: 1 });
    expect(calls).toBe(2); // one comparison, one token
  });

  test('a missing forward, head or output, and a transposed head, are refused in words', () => {
    const { weights, forward } = parts();
    const base = { head: { weight: weights.head }, maxPositions: 8, parameters: weights };
    const make = (model: unknown, options: object = base) => fromForwardModel(model as never, options as never);
    const function_ = forward().forward;
    expect(() => make(function_)).toThrow('got a function; give { forward }');
    expect(() => make(undefined)).toThrow('needs an object with a function `forward`, got undefined');
    expect(() => make(forward(), { maxPositions: 8 })).toThrow('needs `head`: { weight }');
    expect(() => make(forward(), { ...base, head: { weight: tf.zeros([4]) } })).toThrow('needs `head`');
    expect(() => make(forward(), { ...base, maxPositions: '8' })).toThrow('got "8"');
    const { ids, mask } = padLeft([Int32Array.of(1, 2)]);
    const returning = (change: (output: object) => unknown) => make({ forward: () => change(function_(ids)) });
    const wrong: [model: CausalLanguageModel, message: string][] = [
      [returning(({ ...output }) => ({ ...output, hiddenStates: undefined })), 'and returned hiddenStates undefined'],
      [returning(({ ...output }) => ({ ...output, logits: undefined })), 'and returned logits undefined'],
      [returning(async (output) => output), 'and returned a promise; it must not be async'],
      [returning(() => undefined), 'must return { logits, hiddenStates }'],
      [returning(() => ({ logits: ids, hiddenStates: ids })), 'and returned logits of shape [1,2]'],
    ];
    for (const [model, message] of wrong) {
      for (const use of [() => model.hiddenStates(ids, mask), () => model.forward(ids, mask)]) {
        expect(use, message).toThrow(message);
        expect(use, message).toThrow(InvalidArgumentError);
      }
      expect(() => checkTrainable(model)).toThrow(message);
    }
    const transposed = make(forward(), { ...base, head: { weight: tf.transpose(weights.head) } });
    expect(() => checkTrainable(transposed)).toThrow('give tf.transpose(weight)');
  });

  test('training a snapshot or a disposed model says what to do', async () => {
    const { weights, forward } = parts();
    const own = fromForwardModel(forward(), { head: { weight: weights.head }, maxPositions: 8, parameters: weights });
    await expect(train(snapshot(own))).rejects.toThrow('train the model that it was taken from');
    const config = { ...llama, vocab_size: vocabulary };
    const builtIn = languageModel(config, initialWeights(config, 1));
    await expect(train(snapshot(builtIn))).rejects.toThrow('A snapshot keeps its weights');
    builtIn.dispose();
    await expect(train(builtIn)).rejects.toThrow('is disposed; load or build the model again');
  });
});

const llama = {
  model_type: 'llama',
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 8,
  max_position_embeddings: 16,
};
