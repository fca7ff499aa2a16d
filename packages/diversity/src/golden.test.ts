import { readFileSync } from 'node:fs';
import { matrix } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { classCounts, effectiveNumber, expectedDistinct, noveltyUtility, passAtK, semanticEntropy } from './classes.js';
import { compressionRatio } from './compression.js';
import { embeddingVendiScore, meanNearestDistance, meanPairwiseDistance, vendiScore } from './embeddings.js';
import { distinctN, expectationAdjustedDistinct, mattr, ngramEntropy } from './lexical.js';
import { selfBleu } from './self-bleu.js';
import { words } from './words.js';

interface VendiCase {
  readonly points: number[][];
  readonly similarity: number[][];
  readonly scores: { order: number | 'inf'; vendi: number }[];
  readonly dual: number;
  readonly pairwise: number;
  readonly nearest: number;
}

/** Values of published implementations. tests/golden/README.md says how they were made. */
const golden = JSON.parse(
  readFileSync(new URL('../../../tests/golden/diversity.json', import.meta.url), 'utf8'),
) as Record<string, { value: number; n: number; texts: number; window: number; text: number }[]> & {
  readonly texts: string[];
  readonly tokens: string[][];
  readonly vendi: Readonly<Record<'wide' | 'long', VendiCase>>;
  readonly vendi_weighted: { readonly probabilities: number[]; readonly scores: VendiCase['scores'] };
  readonly compression: { text: string; bytes: number; gzip: number }[];
  readonly ead: { vocabulary: number; value: number }[];
  readonly hdd: { draws: number; value: number }[];
  readonly hill: { counts: number[]; order: number; value: number }[];
  readonly classes: {
    readonly labels: string[];
    readonly good: boolean[];
    readonly log_probabilities: number[];
    readonly utilities: number[];
    readonly expected_distinct: { k: number; all: number; good: number }[];
    readonly pass_at_k: { c: number; k: number; value: number }[];
    readonly assignment_entropy: number;
    readonly rao_entropy: number;
    readonly utility: { patience: number; value: number }[];
  };
};
const { texts, tokens } = golden;
const orderOf = (order: number | 'inf') => (order === 'inf' ? Number.POSITIVE_INFINITY : order);

function expectClose(actual: number, expected: number, tolerance = 1e-12) {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected)));
}

test('words equal those of the Python package regex', () => {
  expect(texts.map(words)).toEqual(tokens);
});

describe.each([
  ['texts', texts],
  ['tokens', tokens],
])('from %s', (_, input) => {
  test.each(golden.distinct!)('distinct-$n equals NLTK', ({ n, value }) => expect(distinctN(input, n)).toBe(value));

  test.each(golden.entropy!)('the entropy of $n-grams equals scipy', ({ n, value }) => {
    expectClose(ngramEntropy(input, n), value);
  });

  test.each(golden.ead)('EAD for a vocabulary of $vocabulary equals exact arithmetic', ({ vocabulary, value }) => {
    expectClose(expectationAdjustedDistinct(input, vocabulary), value);
  });

  test.each(golden.self_bleu!)('self-BLEU-$n of $texts texts equals NLTK', ({ texts: size, n, value }) => {
    expectClose(selfBleu(input.slice(0, size), { n }), value);
  });

  test.each(golden.mattr_within!)('MATTR $window of text $text equals LexicalRichness', ({ text, window, value }) => {
    expectClose(mattr([input[text]!], { window }), value);
  });

  test.each(golden.mattr_across!)('MATTR $window across texts equals LexicalRichness', ({ window, value }) => {
    expectClose(mattr(input, { window, acrossTexts: true }), value);
  });
});

test.each(golden.hdd)('expected distinct words of $draws / $draws is the HD-D of LexicalRichness', (hdd) => {
  expectClose(expectedDistinct(tokens.flat(), hdd.draws) / hdd.draws, hdd.value);
});

test.each(golden.compression)('$bytes bytes compress as in Python to within 2 %', ({ text, bytes, gzip }) => {
  expect(bytes / compressionRatio([text]) / gzip).toBeGreaterThan(0.98);
  expect(bytes / compressionRatio([text]) / gzip).toBeLessThan(1.02);
});

describe.each(['wide', 'long'] as const)('%s embeddings', (shape) => {
  const { points, similarity, scores, dual, pairwise, nearest } = golden.vendi[shape];

  test.each(scores)('the Vendi score of order $order equals vendi_score', ({ order: name, vendi }) => {
    const order = orderOf(name);
    // Below order 1, vendi_score counts the rounding errors of eigenvalues that are 0.
    const tolerance = order < 1 ? 1e-6 : 1e-11;
    expectClose(vendiScore(similarity.flat(), { order }), vendi, tolerance);
    expectClose(embeddingVendiScore(matrix(points), { order }), vendi, tolerance);
    if (order === 1) expectClose(embeddingVendiScore(matrix(points)), dual, 1e-11);
  });

  test('mean distances equal scikit-learn', () => {
    expectClose(meanPairwiseDistance(matrix(points)), pairwise);
    expectClose(meanNearestDistance(matrix(points)), nearest);
  });
});

test.each(golden.vendi_weighted.scores)('the weighted Vendi score of order $order equals vendi_score', (score) => {
  const { points, similarity } = golden.vendi.wide;
  const options = { order: orderOf(score.order), probabilities: golden.vendi_weighted.probabilities };
  const tolerance = options.order < 1 ? 1e-6 : 1e-11;
  expectClose(vendiScore(similarity.flat(), options), score.vendi, tolerance);
  expectClose(embeddingVendiScore(matrix(points), options), score.vendi, tolerance);
});

test.each(golden.hill)('the effective number of $counts of order $order equals scikit-bio', (hill) => {
  expectClose(effectiveNumber(hill.counts, hill.order), hill.value);
});

describe('classes', () => {
  const { labels, good, log_probabilities, utilities, ...values } = golden.classes;

  test.each(values.expected_distinct)('expected distinct answers of $k equal the mean over all subsets', (expected) => {
    expectClose(expectedDistinct(labels, expected.k), expected.all);
    expectClose(expectedDistinct(labels, expected.k, good), expected.good);
  });

  test.each(values.pass_at_k)('pass@$k of $c good ones of 10 equals Chen et al.', ({ c, k, value }) => {
    const some = Array.from({ length: 10 }, (_, index) => index < c);
    expectClose(passAtK(some, k), value);
  });

  test('semantic entropy equals the program of its authors', () => {
    expectClose(semanticEntropy(labels), values.assignment_entropy);
    expectClose(semanticEntropy(labels, log_probabilities), values.rao_entropy);
    expectClose(Math.exp(semanticEntropy(labels)), effectiveNumber(classCounts(labels)));
  });

  test.each(values.utility)('utility with patience $patience equals NoveltyBench', ({ patience, value }) => {
    expectClose(noveltyUtility(labels, utilities, { patience }), value);
  });
});
