import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { learnMerges } from './learn-merges.js';
import { trainBytePairTokenizer } from './train-bpe.js';

interface Reference {
  readonly trainingTexts: readonly string[];
  readonly vocabularySize: number;
  readonly cases: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

/**
 * Ids from Python's `tokenizers` 0.23.3: the tokenizer trained on `trainingTexts` was saved with saveTokenizer() and read with
 * `Tokenizer.from_file(path)`; `encode_special_tokens = True`, so that the name of a special token is text; then
 * `encode(text).ids`.
 */
const reference = JSON.parse(
  readFileSync(new URL('../../../tests/golden/tokenizer.json', import.meta.url), 'utf8'),
) as { readonly trained: Reference };

const { trainingTexts, vocabularySize, cases } = reference.trained;
const tokenizer = trainBytePairTokenizer(trainingTexts, { vocabularySize });

test('ids equal those of Python with the same file', () => {
  expect(tokenizer.vocabularySize).toBe(vocabularySize);
  for (const { text, ids } of cases) expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
});

test('decoding returns every string exactly', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), (text) => {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test('the name of a special token is text, and special tokens decode to nothing', () => {
  const bos = tokenizer.specialId('<|bos|>')!;
  const end = tokenizer.specialId('<|assistant_end|>')!;
  expect(bos).toBe(vocabularySize - 6);
  const ids = tokenizer.encode('a<|bos|>b<|assistant_end|>');
  expect(Math.max(...ids)).toBeLessThan(bos);
  expect(tokenizer.decode(ids)).toBe('a<|bos|>b<|assistant_end|>');
  expect(tokenizer.decode([bos, ...tokenizer.encode('so'), end])).toBe('so');
  expect(tokenizer.specialId('so')).toBeUndefined();
});

test('bytes that are not valid UTF-8 become U+FFFD, and ids beyond the vocabulary have no text', () => {
  const [first, ...rest] = tokenizer.encode('é'); // two bytes, one token each in this vocabulary
  expect(rest).toHaveLength(1);
  expect(tokenizer.decode([first!])).toBe('\ufffd');
  expect(tokenizer.decode([...tokenizer.encode('x'), 50_000])).toBe('x');
  expect(tokenizer.decode([])).toBe('');
});

test('the order of the texts does not matter, and every token has one id', () => {
  const again = trainBytePairTokenizer(new Set([...trainingTexts].reverse()), { vocabularySize });
  expect(JSON.stringify(again.json)).toBe(JSON.stringify(tokenizer.json));
  const { vocab, merges } = (again.json as { model: { vocab: Record<string, number>; merges: string[] } }).model;
  expect(new Set(Object.values(vocab)).size).toBe(256 + merges.length);
});

test('texts with too few pairs give a smaller vocabulary', () => {
  const small = trainBytePairTokenizer(['ab', 'ab', 'b'], { vocabularySize: 1000, specialTokens: ['<|end|>'] });
  expect(small.vocabularySize).toBe(258);
  expect([...small.encode('ab b')]).toEqual([256, 32, 98]);
  expect(trainBytePairTokenizer([], { vocabularySize: 256, specialTokens: [] }).vocabularySize).toBe(256);
});

test('invalid options are refused', () => {
  expect(() => trainBytePairTokenizer([], { vocabularySize: 261 })).toThrow('≥ 262');
  expect(() => trainBytePairTokenizer([], { vocabularySize: 300.5 })).toThrow(InvalidArgumentError);
  expect(() => trainBytePairTokenizer([], { vocabSize: 300 } as never)).toThrow(
    'trainBytePairTokenizer has no option "vocabSize"; it has the options "vocabularySize"',
  );
  for (const specialTokens of [['a'], ['<|x|>', '<|x|>'], [''], ['the']]) {
    const train = () => trainBytePairTokenizer(['the the the'], { vocabularySize: 300, specialTokens });
    expect(train).toThrow(/^special token/);
  }
});

test('each merge is the most frequent pair of a full recount', () => {
  const letters = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.tuple(letters, fc.integer({ min: 1, max: 4 })), { maxLength: 12 }), (entries) => {
      const words = entries.map(([word]) => Int32Array.from(word));
      const counts = entries.map(([, count]) => count);
      const naiveWords = entries.map(([word]) => [...word]);
      const merges = learnMerges(words, counts, 4, 20);
      expect(merges).toEqual(naiveMerges(naiveWords, counts, 4, 20));
      expect(words.map((word) => [...word])).toEqual(naiveWords);
    }),
    { seed: 2, numRuns: 500 },
  );
});

/** Counts every pair of every word before each merge. */
function naiveMerges(words: number[][], counts: number[], alphabetSize: number, limit: number): [number, number][] {
  const merges: [number, number][] = [];
  while (merges.length < limit) {
    const pairs = new Map<string, { pair: [number, number]; count: number }>();
    words.forEach((word, index) => {
      for (let at = 1; at < word.length; at++) {
        const pair: [number, number] = [word[at - 1]!, word[at]!];
        const entry = pairs.get(String(pair)) ?? { pair, count: 0 };
        pairs.set(String(pair), { pair, count: entry.count + counts[index]! });
      }
    });
    const best = [...pairs.values()].sort(
      (a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1],
    )[0];
    if (!best) break;
    const token = alphabetSize + merges.length;
    for (const word of words) {
      for (let at = 0; at + 1 < word.length; at++) {
        if (word[at] === best.pair[0] && word[at + 1] === best.pair[1]) word.splice(at, 2, token);
      }
    }
    merges.push(best.pair);
  }
  return merges;
}

test('a value that is no text, or no list of ids, is refused', () => {
  const wrong: Record<string, () => unknown> = {
    'encode needs a text, got undefined': () => tokenizer.encode(undefined as never),
    'encode needs a text, got an array': () => tokenizer.encode(['text'] as never),
    'decode needs an array of token ids, got undefined': () => tokenizer.decode(undefined as never),
    'decode needs an array of token ids, got a string': () => tokenizer.decode('text' as never),
  };
  for (const [message, call] of Object.entries(wrong)) expect(call).toThrow(new InvalidArgumentError(message));
});
