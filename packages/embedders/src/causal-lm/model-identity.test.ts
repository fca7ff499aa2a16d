import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embed, InvalidArgumentError, RarefyError, StateMismatchError } from '@rarefy/core';
import {
  activate,
  type CausalLanguageModel,
  fromForwardModel,
  initialWeights,
  languageModel,
  snapshot,
} from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cachedEmbedder } from '../cached/cached-embedder.js';
import { hiddenStateEmbedder, logitsEmbedder } from './causal-lm.js';
import { watchWeights } from './model-identity.js';

const tokenizer = trainBytePairTokenizer(['how do I bake bread', 'where is the garden'], { vocabularySize: 300 });
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 48,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
};
const softCapped = { ...config, model_type: 'nanochat', final_logit_softcapping: 15 };
const newModel = (settings: object = config, seed = 1) => languageModel(settings, initialWeights(settings, seed));
const items = ['how do I bake bread', 'where?', 'bread in the garden'];

/** One optimizer step with gradients of ones. */
function trainStep({ parameters }: Pick<CausalLanguageModel, 'parameters'>): void {
  const optimizer = tf.train.adam(1e-4);
  const gradients = Object.fromEntries(Object.values(parameters).map((value) => [value.name, tf.onesLike(value)]));
  optimizer.applyGradients(gradients);
  optimizer.dispose();
  tf.dispose(gradients);
}

describe.each(['cpu', 'wasm'] as const)('on %s', (backend) => {
  beforeAll(() => activate(backend));

  const changes: Record<string, (model: CausalLanguageModel) => void> = {
    'a step of AdamW': trainStep,
    'a step of an optimizer of tfjs': ({ parameters }) => {
      const variables = Object.values(parameters);
      const optimizer = tf.train.sgd(1e-3);
      optimizer.minimize(
        () => tf.addN(variables.map((value) => tf.sum(tf.square(value)))) as tf.Scalar,
        false,
        variables,
      );
      optimizer.dispose();
    },
    'an assignment to one parameter': ({ parameters }) => {
      const variable = Object.values(parameters).at(-1)!;
      tf.tidy(() => variable.assign(tf.add(variable, 1e-6)));
    },
  };

  test.each(Object.keys(changes))('%s stops the embedders of the model', async (name) => {
    for (const settings of [config, softCapped]) {
      const model = newModel(settings);
      const embedders = [await hiddenStateEmbedder({ model, tokenizer }), await logitsEmbedder({ model, tokenizer })];
      const before = await Promise.all(embedders.map((embedder) => embed(embedder, items)));
      changes[name]!(model);
      for (const embedder of embedders) {
        const late = embed(embedder, items);
        await expect(late).rejects.toThrow(StateMismatchError);
        await expect(late).rejects.toThrow(/^the weight '.+' of the model changed .* snapshot\(model\)/);
        await expect(embedder.embedBatch([])).rejects.toThrow(StateMismatchError);
        if (embedder.embedRows) await expect(embedder.embedRows(items)).rejects.toThrow(StateMismatchError);
        expect([...embedder.countTokens(items)]).toHaveLength(items.length);
      }
      // An embedder of the model as it is now works, under another fingerprint.
      const again = [await hiddenStateEmbedder({ model, tokenizer }), await logitsEmbedder({ model, tokenizer })];
      for (const [index, embedder] of again.entries()) {
        expect(embedder.fingerprint).not.toBe(embedders[index]!.fingerprint);
        expect((await embed(embedder, items)).data).not.toEqual(before[index]!.data);
      }
      model.dispose();
    }
  });

  test('forward passes, gradients, reads and other models leave an embedder working', async () => {
    const model = newModel();
    const embedder = await hiddenStateEmbedder({ model, tokenizer });
    const expected = await embed(embedder, items);
    const ids = tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
    const { value, grads } = tf.variableGrads(() => tf.mean(model.forward(ids, tf.onesLike(ids)).logits) as tf.Scalar);
    for (const parameter of Object.values(model.parameters)) await parameter.data();
    const other = newModel(config, 2);
    trainStep(other);
    other.dispose();
    expect(await embed(embedder, items)).toEqual(expected);
    tf.dispose([ids, value, grads]);
    model.dispose();
    await expect(embed(embedder, items)).rejects.toThrow('the model of this embedder was disposed');
    await expect(embed(embedder, items)).rejects.toThrow(RarefyError);
  });
});

describe('of a model in training', () => {
  beforeAll(() => activate('cpu'));
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-identity-'))));
  afterAll(() => rm(folder, { recursive: true }));

  test('a weight that changes between two passes of a batch, or while the embedder is created, is noticed', async () => {
    const model = newModel();
    const embedder = await hiddenStateEmbedder({ model, tokenizer }, { batchTokens: 1 });
    const pending = embedder.embedBatch(items);
    trainStep(model); // after the first pass, which runs at once
    await expect(pending).rejects.toThrow(StateMismatchError);
    for (const create of [hiddenStateEmbedder, logitsEmbedder]) {
      const creating = create({ model, tokenizer });
      trainStep(model);
      await expect(creating).rejects.toThrow(StateMismatchError);
    }
    model.dispose();
  });

  test('a cache returns no stored row of earlier weights', async () => {
    const model = newModel();
    await using cached = await cachedEmbedder(await hiddenStateEmbedder({ model, tokenizer }), { folder });
    const before = await embed(cached, items);
    expect(await embed(cached, items)).toEqual(before);
    trainStep(model);
    await expect(embed(cached, items)).rejects.toThrow(StateMismatchError);
    await using next = await cachedEmbedder(await hiddenStateEmbedder({ model, tokenizer }), { folder });
    expect((await embed(next, items)).data).not.toEqual(before.data);
    model.dispose();
  });

  test.each([config, softCapped])(
    'an embedder of a snapshot keeps its rows and fingerprint while $model_type trains',
    async (settings) => {
      const model = newModel(settings);
      for (const create of [hiddenStateEmbedder, logitsEmbedder]) {
        const before = await create({ model, tokenizer });
        const expected = await embed(before, items);
        {
          using frozen = snapshot(model);
          const embedder = await create({ model: frozen, tokenizer });
          expect(embedder.fingerprint).toBe(before.fingerprint);
          for (let step = 0; step < 2; step++) {
            trainStep(model);
            expect(await embed(embedder, items)).toEqual(expected);
          }
          using next = snapshot(model);
          const after = await create({ model: next, tokenizer });
          expect(after.fingerprint).not.toBe(embedder.fingerprint);
          expect((await embed(after, items)).data).not.toEqual(expected.data);
        }
        await expect(embed(before, items)).rejects.toThrow(StateMismatchError);
      }
      model.dispose();
    },
  );

  test('the check reads no numbers', () => {
    const model = newModel();
    const check = watchWeights(model);
    const backend = tf.backend();
    const read = backend.readSync;
    backend.readSync = backend.read = () => {
      throw new Error('read back');
    };
    expect(check).not.toThrow();
    backend.readSync = read;
    delete (backend as { read?: unknown }).read;
    model.dispose();
  });
});

test('models with the same weights and other settings have different fingerprints', async () => {
  await activate('cpu');
  const changes = [{}, { rope_theta: 5e5 }, { rms_norm_eps: 1e-3 }, { num_attention_heads: 2, num_key_value_heads: 1 }];
  const fingerprints: string[] = [];
  for (const change of [...changes, { rope_theta: 10_000, torch_dtype: 'float16' }]) {
    const settings = {
      ...config,
      head_dim: 6,
      ...change,
      ...('num_attention_heads' in change ? { head_dim: 12 } : {}),
    };
    const model = languageModel(settings, initialWeights(settings, 1));
    fingerprints.push((await hiddenStateEmbedder({ model, tokenizer })).fingerprint);
    model.dispose();
  }
  expect(new Set(fingerprints.slice(0, -1)).size).toBe(changes.length);
  expect(fingerprints.at(-1)).toBe(fingerprints[0]); // a default that is written out, and a field that changes no number
});

describe('fingerprints of models of one’s own', () => {
  beforeAll(() => activate('cpu'));

  /** Embedding and head, without a layer between them. */
  const ownModel = (scale: number, options: { name?: string; parameters?: boolean; weight?: tf.Tensor2D } = {}) => {
    const weight = options.weight ?? tf.variable(tf.randomNormal<tf.Rank.R2>([300, 8], 0, 1, 'float32', 1));
    const forward = (ids: tf.Tensor2D) =>
      tf.tidy(() => {
        const [batch, length] = ids.shape;
        const rows = tf.mul(tf.gather(weight, tf.reshape(ids, [batch * length])), scale);
        return {
          hiddenStates: tf.reshape(rows, [batch, length, 8]) as tf.Tensor3D,
          logits: tf.reshape(tf.matMul(rows, weight, false, true), [batch, length, 300]) as tf.Tensor3D,
        };
      });
    return fromForwardModel(
      { forward },
      {
        head: { weight },
        maxPositions: 64,
        ...(options.name === undefined ? {} : { name: options.name }),
        ...(options.parameters ? { parameters: { weight: weight as tf.Variable<tf.Rank.R2> } } : {}),
      },
    );
  };
  const fingerprintOf = async (model: CausalLanguageModel, own = tokenizer) =>
    (await hiddenStateEmbedder({ model, tokenizer: own })).fingerprint;

  test('a model without parameters needs a name', async () => {
    for (const create of [hiddenStateEmbedder, logitsEmbedder]) {
      for (const name of [undefined, '']) {
        const refused = create({ model: ownModel(1, name === undefined ? {} : { name }), tokenizer });
        await expect(refused).rejects.toThrow(InvalidArgumentError);
        await expect(refused).rejects.toThrow('neither parameters nor a name');
      }
    }
    expect((await hiddenStateEmbedder({ model: ownModel(1, { name: 'a' }), tokenizer })).kind).toBe('embedder');
  });

  test('names, weights, shapes, heads and tokenizers make different fingerprints', async () => {
    const plain = tf.randomNormal<tf.Rank.R2>([300, 8], 0, 1, 'float32', 2);
    const zeros = [tf.variable(tf.zeros<tf.Rank.R2>([300, 8])), tf.variable(tf.zeros<tf.Rank.R2>([600, 4]))];
    const custom = (weight: tf.Variable<tf.Rank.R2>) =>
      fromForwardModel(ownModel(1), { head: { weight: plain }, maxPositions: 64, parameters: { weight } });
    const texts = ['where is the garden', 'of the bread that I bake', 'bread bread bread'];
    const all = await Promise.all([
      fingerprintOf(ownModel(1, { name: 'a' })),
      fingerprintOf(ownModel(1, { name: 'b' })),
      fingerprintOf(ownModel(1, { name: 'a', weight: plain })),
      fingerprintOf(ownModel(1, { parameters: true })),
      fingerprintOf(ownModel(1, { parameters: true, name: 'a' })),
      fingerprintOf(custom(zeros[0]!)),
      fingerprintOf(custom(zeros[1]!)),
      fingerprintOf(ownModel(1, { parameters: true }), trainBytePairTokenizer(texts, { vocabularySize: 300 })),
    ]);
    expect(new Set(all).size).toBe(all.length);
    expect(await fingerprintOf(ownModel(1, { parameters: true }))).toBe(all[3]);
    expect(await fingerprintOf(ownModel(1, { name: 'a' }))).toBe(all[0]);
  });

  test('a snapshot of it keeps its rows and fingerprint, and leaves embedders of the model working', async () => {
    const weight = tf.variable(tf.randomNormal<tf.Rank.R2>([300, 8], 0, 1, 'float32', 4));
    const model = ownModel(1, { parameters: true, weight });
    const current = await hiddenStateEmbedder({ model, tokenizer });
    const expected = await embed(current, items);
    using frozen = snapshot(model);
    const kept = await hiddenStateEmbedder({ model: frozen, tokenizer });
    expect(kept.fingerprint).toBe(current.fingerprint);
    expect(await embed(kept, items)).toEqual(expected);
    expect(await embed(current, items)).toEqual(expected); // the snapshot lent its values to the variables in between
    trainStep(model);
    expect(await embed(kept, items)).toEqual(expected);
    await expect(embed(current, items)).rejects.toThrow(StateMismatchError);
    expect((await embed(await hiddenStateEmbedder({ model, tokenizer }), items)).data).not.toEqual(expected.data);
  });

  test('frozen weights are watched too', async () => {
    const weight = tf.variable(tf.randomNormal<tf.Rank.R2>([300, 8], 0, 1, 'float32', 5));
    const scale = tf.variable(tf.scalar(1));
    const { forward } = ownModel(1, { name: 'a', weight });
    const model = fromForwardModel(
      { forward },
      { head: { weight }, maxPositions: 64, parameters: { weight }, frozen: { scale } },
    );
    const embedder = await hiddenStateEmbedder({ model, tokenizer });
    await embed(embedder, items);
    scale.assign(tf.scalar(2));
    await expect(embed(embedder, items)).rejects.toThrow("the weight 'scale' of the model changed");
  });

  test('a head that trains without being a parameter is watched too', async () => {
    const weight = tf.variable(tf.randomNormal<tf.Rank.R2>([300, 8], 0, 1, 'float32', 3));
    const embedder = await hiddenStateEmbedder({ model: ownModel(1, { name: 'a', weight }), tokenizer });
    await embed(embedder, items);
    tf.tidy(() => weight.assign(tf.add(weight, 1)));
    await expect(embed(embedder, items)).rejects.toThrow("the weight 'head.weight' of the model changed");
  });
});
