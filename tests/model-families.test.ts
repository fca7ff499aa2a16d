import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, toFloat32, toInt32 } from '@rarefy/io';
import { type CausalLanguageModel, generate, languageModel, tokenLogProbabilities } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { meanLogits, meanPool } from '../packages/embedders/src/causal-lm/pooling.js';
import { vocabularyIsometry } from '../packages/embedders/src/causal-lm/vocabulary-isometry.js';
import { describeOnBackends } from './support/backends.js';
import { goldenPath, pairDistances, relativeError } from './support/golden.js';

interface Reference {
  readonly greedy_prompt: readonly number[];
  readonly greedy: readonly number[];
  readonly loss: number;
}

const folder = goldenPath('families');
const references = JSON.parse(readFileSync(join(folder, 'families.json'), 'utf8')).models as Record<string, Reference>;
const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

async function load(name: string): Promise<CausalLanguageModel> {
  const { tensors } = await readSafetensors(join(folder, name, 'model.safetensors'));
  const weights = new Map([...tensors].map(([key, tensor]) => [key, { shape: tensor.shape, data: toFloat32(tensor) }]));
  return languageModel(JSON.parse(readFileSync(join(folder, name, 'config.json'), 'utf8')), weights);
}

/** The reference batch, padded on the right, and what transformers computes for it. */
async function expectedOf(name: string) {
  const { tensors } = await readSafetensors(join(folder, name, 'expected.safetensors'));
  const [rows, length] = tensors.get('ids')!.shape as [number, number];
  return {
    rows,
    length,
    ids: toInt32(tensors.get('ids')!),
    mask: toInt32(tensors.get('mask')!),
    hidden: toFloat32(tensors.get('hidden')!),
    logits: toFloat32(tensors.get('logits')!),
    gradient: toFloat32(tensors.get('embedding_gradient')!),
  };
}
type Expected = Awaited<ReturnType<typeof expectedOf>>;

/** Moves the padding of each row from its end to its start. */
function paddedLeft<Values extends Int32Array | Float32Array>(
  values: Values,
  { rows, length, mask }: Expected,
): Values {
  const moved = values.slice() as Values;
  const width = values.length / (rows * length);
  for (let row = 0; row < rows; row++) {
    const real = mask.subarray(row * length, (row + 1) * length).reduce((sum, value) => sum + value, 0);
    const [start, end] = [row * length * width, (row + 1) * length * width];
    moved.subarray(start, end).fill(0);
    moved.set(values.subarray(start, start + real * width), end - real * width);
  }
  return moved;
}

/** Values at padding mean nothing: zeros on both sides. */
const atRealTokens = (values: ArrayLike<number>, mask: Int32Array) =>
  Float32Array.from(values, (value, index) => value * mask[Math.floor(index / (values.length / mask.length))]!);

test('there are reference values for every family', () => {
  expect(Object.keys(references).sort()).toEqual(names.sort());
});

for (const name of names) {
  describeOnBackends(`${name} against transformers`, () => {
    let model: CausalLanguageModel;
    let expected: Expected;
    beforeAll(async () => {
      [model, expected] = [await load(name), await expectedOf(name)];
    });
    afterAll(() => model.dispose());

    test.each(['right', 'left'] as const)('hidden states and logits at real tokens, padded on the %s', (side) => {
      const placed = <Values extends Int32Array | Float32Array>(values: Values) =>
        side === 'right' ? values : paddedLeft(values, expected);
      const shape: [number, number] = [expected.rows, expected.length];
      const [ids, mask] = [placed(expected.ids), placed(expected.mask)];
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        const { logits, hiddenStates } = model.forward(
          tf.tensor2d(ids, shape, 'int32'),
          tf.tensor2d(mask, shape, 'int32'),
        );
        const reference = (values: Float32Array) => atRealTokens(placed(values), mask);
        expect(relativeError(atRealTokens(hiddenStates.dataSync(), mask), reference(expected.hidden))).toBeLessThan(
          1e-5,
        );
        expect(relativeError(atRealTokens(logits.dataSync(), mask), reference(expected.logits))).toBeLessThan(1e-5);
      });
      expect(tf.memory().numTensors).toBe(before);
    });

    test('distances of the logits of the embedder', async () => {
      const { vocabularySize, hiddenSize, softCap } = model.description;
      const unit = (all: Float32Array, width: number) => {
        const rows = all.slice();
        for (let start = 0; start < rows.length; start += width) {
          const length = Math.hypot(...rows.subarray(start, start + width));
          for (let i = start; i < start + width; i++) rows[i]! /= length;
        }
        return rows;
      };
      const { rows, length, ids, mask } = expected;
      const [hidden, logits] = tf.tidy(() => {
        const shape: [number, number] = [rows, length];
        const real = tf.tensor2d(mask, shape, 'int32');
        const states = model.hiddenStates(tf.tensor2d(ids, shape, 'int32'), real);
        return [meanPool(states, real).dataSync<'float32'>(), meanLogits(model, states, real).dataSync<'float32'>()];
      });
      const means = Float32Array.from({ length: rows * vocabularySize }, (_, index) => {
        const [row, word] = [Math.floor(index / vocabularySize), index % vocabularySize];
        let sum = 0;
        for (let token = 0; token < length; token++) {
          const at = row * length + token;
          sum += mask[at]! * expected.logits[at * vocabularySize + word]!;
        }
        return sum;
      });
      const reference = pairDistances(unit(means, vocabularySize), vocabularySize);
      expect(relativeError(pairDistances(unit(logits, vocabularySize), vocabularySize), reference)).toBeLessThan(1e-4);
      if (softCap !== undefined) return;
      const weight = model.head.weight.dataSync<'float32'>();
      const isometry = await vocabularyIsometry({ weight, vocabulary: vocabularySize, hidden: hiddenSize });
      const short = unit(Float32Array.from(isometry.apply(hidden, rows)), hiddenSize);
      expect(relativeError(pairDistances(short, hiddenSize), reference)).toBeLessThan(1e-4);
    });

    test('mean next-token loss and its gradient by the token embedding', () => {
      const { rows, length, ids, mask } = expected;
      const targets = Int32Array.from(ids, (_, index) => ids[index + 1] ?? 0);
      const counts = Float32Array.from(mask, (_, index) => ((index + 1) % length === 0 ? 0 : mask[index + 1]!));
      const total = counts.reduce((sum, value) => sum + value, 0);
      const embedding = Object.entries(model.parameters).find(([key]) => /wte|embed_tokens/.test(key))![1];
      const { value, grads } = tf.variableGrads(
        () =>
          tf.tidy(() => {
            const shape: [number, number] = [rows, length];
            const hidden = model.hiddenStates(tf.tensor2d(ids, shape, 'int32'), tf.tensor2d(mask, shape, 'int32'));
            const logits = model.logits(tf.reshape(hidden, [rows * length, -1]));
            const logProbabilities = tokenLogProbabilities(logits, tf.tensor1d(targets, 'int32'));
            return tf.div(tf.neg(tf.sum(tf.mul(logProbabilities, counts))), total) as tf.Scalar;
          }),
        [embedding],
      );
      expect(Math.abs(value.dataSync()[0]! / references[name]!.loss - 1)).toBeLessThan(1e-5);
      expect(relativeError(grads[embedding.name]!.dataSync(), expected.gradient)).toBeLessThan(1e-4);
      tf.dispose([value, grads]);
    });

    test.each([true, false])(
      'greedy completion, alone and in a batch padded on the left, with the cache %s',
      async (cache) => {
        const { greedy_prompt: prompt, greedy } = references[name]!;
        const options = { maxNewTokens: greedy.length, stopId: -1, temperature: 0, seed: 1, cache };
        const longer = Int32Array.from({ length: prompt.length + 5 }, (_, index) => 5 + index);
        const prompts = [Int32Array.from(prompt), longer];
        const [alone] = await generate(model, prompts.slice(0, 1), options);
        const [together] = await generate(model, prompts, options);
        expect([...alone!.ids]).toEqual(greedy);
        expect([...together!.ids]).toEqual(greedy);
      },
    );
  });
}
