import { importPeer } from '@rarefy/core';
import { Tokenizer } from '@tensorflow-models/universal-sentence-encoder';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { encoderWeights, readEncoderFiles } from './encoder-files.js';
import { sentencePieces } from './sentence-pieces.js';

const { vocabulary } = await readEncoderFiles((await importPeer(encoderWeights())).folder);

test('any text has the same ids as with the tokenizer of the published encoder', () => {
  const encode = sentencePieces(vocabulary);
  const reference = new Tokenizer(vocabulary);
  const pieces = fc.constantFrom(...vocabulary.map(([piece]) => piece.replaceAll('\u2581', ' ')));
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .array(fc.oneof(pieces, fc.string({ unit: 'grapheme', maxLength: 3 })), { maxLength: 20 })
      .map((parts) => parts.join('')),
  );
  const same = (value: string): void => void expect(encode(value)).toEqual(reference.encode(value));
  for (const value of ['', ' ', '  a ', 'ﬁ ½ Å', '\ud800', '日本語 👩‍👩‍👧', 'Why do cats purr?', '\u2581', '\u0000'])
    same(value);
  fc.assert(fc.property(text, same), { numRuns: casesOf(500, 10_000), seed: 1 });
});

test('the most likely segmentation wins, and adjacent unknown units are one id', () => {
  const reserved = Array.from({ length: 6 }, (): [string, number] => ['?', 0]);
  const encode = sentencePieces([...reserved, ['\u2581', -1], ['a', -2], ['b', -2], ['ab', -3], ['abb', -9]]);
  expect(encode('ab')).toEqual([6, 9]);
  expect(encode('abb')).toEqual([6, 9, 8]);
  expect(encode('xya z')).toEqual([6, 0, 7, 6, 0]);
});

test('the time is linear in the length of the text', () => {
  const encode = sentencePieces(vocabulary);
  expect(encode('a word '.repeat(20_000))).toHaveLength(40_001); // minutes where time is quadratic
});
