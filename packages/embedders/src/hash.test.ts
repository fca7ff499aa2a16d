import { embed, InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashEmbedder, textFeatures } from './hash.js';

const texts = [
  'What is the capital of France?',
  "What's the capital city of France?",
  'Write a haiku about the sea.',
  'the the the sea',
  '日本の首都はどこですか?',
  '🙂🚀',
];

test('features are words and trigrams of words between blanks', () => {
  expect([...textFeatures('Ünï a🙂!')]).toEqual(
    [
      ['ünï', ' ün', 'ünï', 'nï '],
      ['a', ' a '],
      ['🙂', ' 🙂 '],
      ['!', ' ! '],
    ].flat(),
  );
  expect([...textFeatures('ｆｕｌｌ')]).toEqual([...textFeatures('FULL')]);
});

test('cosines equal those of the feature counts if collisions are rare', async () => {
  const { data, cols } = await embed(hashEmbedder({ dimensions: 2 ** 20 }), texts);
  for (let a = 0; a < texts.length; a++) {
    for (let b = 0; b <= a; b++) {
      const cosine = dot(data.subarray(a * cols, (a + 1) * cols), data.subarray(b * cols, (b + 1) * cols));
      expect(cosine).toBeCloseTo(countCosine(texts[a]!, texts[b]!), 5);
    }
  }
});

test('the sign is independent of the column: inner products are unbiased over seeds (false alarm below 1e-6)', async () => {
  // Two texts without a common feature: mean cosine 0, variance about 1 / dimensions; five standard errors.
  const seeds = 4000;
  const dimensions = 8;
  let sum = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const { data } = await embed(hashEmbedder({ dimensions, seed }), ['alpha beta gamma', 'quick brown foxes jumped']);
    sum += dot(data.subarray(0, dimensions), data.subarray(dimensions));
  }
  expect(Math.abs(sum / seeds)).toBeLessThan(5 / Math.sqrt(seeds * dimensions));
});

test('the row of any text has length 1 and does not depend on its batch; a text without content gives zeros', async () => {
  const embedder = hashEmbedder({ dimensions: 64, seed: 3 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }), async (items) => {
      const { embeddings } = await embedder.embedBatch(items);
      for (const [row, text] of items.entries()) {
        const vector = embeddings.data.slice(row * 64, (row + 1) * 64);
        const alone = (await embedder.embedBatch([text])).embeddings.data;
        expect(vector).toEqual(alone);
        const length = Math.sqrt(dot(vector, vector));
        if (text.trim() === '') expect(length).toBe(0);
        else expect(Math.min(Math.abs(length - 1), length)).toBeLessThan(1e-6);
      }
    }),
  );
});

test('different seeds give unrelated rows, repeats are equal, and options are checked', async () => {
  const row = async (seed: number) => (await embed(hashEmbedder({ seed }), texts.slice(0, 1))).data;
  expect(await row(1)).toEqual(await row(1));
  expect(Math.abs(dot(await row(1), await row(2)))).toBeLessThan(0.5);
  expect(Math.abs(dot(await row(1), await row(2 ** 32 + 1)))).toBeLessThan(0.5);
  expect(() => hashEmbedder({ dimensions: 0 })).toThrow(InvalidArgumentError);
  expect(() => hashEmbedder({ seed: 0.5 })).toThrow(InvalidArgumentError);
  const reason = new Error('stop');
  await expect(hashEmbedder().embedBatch(texts, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

function countCosine(a: string, b: string): number {
  const counts = (text: string) => {
    const map = new Map<string, number>();
    for (const feature of textFeatures(text)) map.set(feature, (map.get(feature) ?? 0) + 1);
    return map;
  };
  const inner = (x: Map<string, number>, y: Map<string, number>) =>
    [...x].reduce((sum, [feature, count]) => sum + count * (y.get(feature) ?? 0), 0);
  const [x, y] = [counts(a), counts(b)];
  return inner(x, y) / Math.sqrt(inner(x, x) * inner(y, y));
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0);
}
