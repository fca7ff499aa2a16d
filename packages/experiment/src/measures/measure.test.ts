import type { Matrix } from '@rarefy/core';
import { emDashPer1000Words, selfBleu, vocabularyRatio, words } from '@rarefy/diversity';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EvaluatedAnswer, Evaluation } from '../runs/run-record.js';
import { goodAnswers, medianReward } from './graded-answers.js';
import { type MeasureOptions, measure, measureByDensityDecile, perPromptValues } from './measure.js';
import { embeddingMeasures, measureCatalog } from './measure-catalog.js';
import { wordBudgets } from './word-budgets.js';

type Given = Partial<EvaluatedAnswer> & { readonly text: string };

/** @param groups answers to each prompt; the prompts are p0, p1, … */
function evaluationOf(groups: readonly (readonly Given[])[], step = 0): Evaluation {
  const answers = groups.flatMap((group, prompt) =>
    group.map((given, index) => ({
      id: `p${prompt}`,
      index,
      tokens: words(given.text).length + 1,
      terminated: true,
      reward: 1,
      logProbability: -2,
      startLogProbability: -3,
      ...given,
    })),
  );
  return { step, answers };
}

/** Counts of letters: the meaning of a text, for tests. */
function lettersOf({ answers }: Evaluation): Matrix {
  const data = new Float32Array(answers.length * 26);
  answers.forEach(({ text }, row) => {
    for (const letter of text) if (letter >= 'a' && letter <= 'z') data[26 * row + letter.charCodeAt(0) - 97]!++;
  });
  return { data, rows: answers.length, cols: 26 };
}

/** Prompts alternate between two strata. */
const promptsOf = (count: number) =>
  Array.from({ length: count }, (_, prompt) => ({ id: `p${prompt}`, stratum: prompt % 2 === 0 ? 'head' : 'tail' }));
const strata = ['head', 'tail'];

function optionsFor(evaluation: Evaluation, others: readonly Evaluation[] = [], k = 1): MeasureOptions {
  const heldOut = promptsOf(new Set(evaluation.answers.map(({ id }) => id)).size);
  const budgets = wordBudgets([evaluation, ...others], heldOut, strata, 0.5);
  return { heldOut, strata, startMedianReward: 0.5, k, budgets, embeddings: lettersOf(evaluation) };
}

const texts = (...list: string[]): Given[] => list.map((text) => ({ text }));

describe('against values computed by hand', () => {
  const evaluation = evaluationOf([
    [
      { text: 'red fox', reward: 2, onTopic: true, garbled: false },
      { text: 'red, fox!', reward: 1, onTopic: true, garbled: false, terminated: false },
      { text: 'blue owl — here', reward: 1, onTopic: false, garbled: false, logProbability: -6 },
      { text: 'xqz', reward: 0, onTopic: false, garbled: true },
    ],
    texts('a b', 'c d', 'c d', 'e'),
  ]);
  const values = measure(evaluation, optionsFor(evaluation, [], 2));

  test('answers', () => {
    expect(values.good).toEqual({ head: 0.5, tail: 1, all: 0.75 });
    expect(values['on-topic']).toEqual({ head: 0.5, tail: Number.NaN, all: Number.NaN });
    expect(values.garbled!.head).toBe(0.25);
    expect(values.reward).toEqual({ head: 1, tail: 1, all: 1 });
    expect(values.kl).toEqual({ head: 0, tail: 1, all: 0.5 });
    expect(values.entropy).toEqual({ head: 3, tail: 2, all: 2.5 });
    expect(values.words).toEqual({ head: 2, tail: 1.75, all: 1.875 });
    expect(values.terminated).toEqual({ head: 0.75, tail: 1, all: 0.875 });
  });

  test('prompts', () => {
    // Two of four answers say the same good thing: it is missed by 1 of the 6 pairs.
    expect(values['distinct-good']!.head).toBeCloseTo(5 / 6, 12);
    // Classes of 1, 2 and 1 answers of four, in two draws: 1/2 + 5/6 + 1/2.
    expect(values['distinct-good']!.tail).toBeCloseTo(11 / 6, 12);
    const total = 1 + 0.8 + 0.64 + 0.512;
    expect(values['novelty-utility']!.head).toBeCloseTo(1 / total, 12);
    expect(values['novelty-utility']!.tail).toBeCloseTo((total - 0.64) / total, 12);
    expect(values['good-vendi-prompt']!.head).toBeCloseTo(1, 6);
  });

  test('strata', () => {
    expect(values['vocabulary-ratio']).toEqual({ head: 6 / 8, tail: 5 / 7, all: (6 / 8 + 5 / 7) / 2 });
    expect(values['distinct-2']!.head).toBeCloseTo(3 / 4, 12);
    expect(values['em-dashes']).toEqual({ head: 125, tail: 0, all: 62.5 });
    expect(values.mattr!.head).toBeNaN(); // fewer than 50 words
    expect(values['good-vocabulary-ratio']!.head).toBeNaN(); // fewer than 8 good answers
    expect(values['expectation-adjusted-distinct']!.head).toBeCloseTo(6 / (11 * (1 - (10 / 11) ** 8)), 12);
    expect(values['self-bleu-across']!.head).toBeNaN(); // a set of one answer
  });

  test('every measure has every stratum, in the order of the catalog', () => {
    expect(Object.keys(values)).toEqual(measureCatalog.map(({ name }) => name));
    for (const byStratum of Object.values(values)) expect(Object.keys(byStratum)).toEqual(['head', 'tail', 'all']);
  });
});

test('distinct good answers equal the mean over all subsets', () => {
  const answer = fc.record({ class: fc.constantFrom('x', 'y', 'z'), good: fc.boolean(), text: fc.constant('t') });
  fc.assert(
    fc.property(fc.array(answer, { minLength: 4, maxLength: 7 }), fc.integer({ min: 1, max: 4 }), (group, k) => {
      const evaluation = evaluationOf([group, group]);
      const counts: number[] = [];
      for (let subset = 0; subset < 2 ** group.length; subset++) {
        const chosen = group.filter((_, index) => (subset >> index) % 2 === 1);
        if (chosen.length !== k) continue;
        counts.push(new Set(chosen.filter(({ good }) => good).map((one) => one.class)).size);
      }
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      const values = perPromptValues(evaluation, 'distinct-good', optionsFor(evaluation, [], k));
      expect(values[0]).toBeCloseTo(mean, 9);
    }),
  );
});

const word = fc.constantFrom('apple', 'birch', 'cedar', 'dune', 'elm', 'fern');
const answer = fc.record(
  {
    text: fc.array(word, { minLength: 1, maxLength: 9 }).map((list) => list.join(' ')),
    reward: fc.constantFrom(0, 1),
    terminated: fc.boolean(),
    garbled: fc.boolean(),
    onTopic: fc.boolean(),
    logProbability: fc.integer({ min: -9, max: -1 }),
  },
  { requiredKeys: ['text', 'reward', 'terminated', 'garbled', 'logProbability'] },
);
const groupsOf = (prompts: number, answers: number) =>
  fc.array(fc.array(answer, { minLength: answers, maxLength: answers }), { minLength: prompts, maxLength: prompts });

/** With one word less in the answers that have several, so that others share a budget which cuts them. */
const shortened = ({ answers }: Evaluation): Evaluation => ({
  step: 40,
  answers: answers.map((one) => ({ ...one, text: one.text.replace(/ \S+$/, '') })),
});

describe('laws', () => {
  test('the order of prompts changes nothing', () => {
    fc.assert(
      fc.property(groupsOf(6, 4), (groups) => {
        const evaluation = evaluationOf(groups);
        const options = optionsFor(evaluation, [shortened(evaluation)], 2);
        const reversed = {
          step: 0,
          answers: promptsOf(6)
            .reverse()
            .flatMap(({ id }) => evaluation.answers.filter((one) => one.id === id)),
        };
        const other = measure(reversed, {
          ...options,
          heldOut: options.heldOut.toReversed(),
          embeddings: lettersOf(reversed),
        });
        expectClose(other, measure(evaluation, options));
      }),
    );
  });

  test('the order of the answers to a prompt changes no measure of prompts or answers but novelty-utility', () => {
    fc.assert(
      fc.property(groupsOf(4, 4), (groups) => {
        const [evaluation, reversed] = [evaluationOf(groups), evaluationOf(groups.map((group) => group.toReversed()))];
        const [values, other] = [evaluation, reversed].map((one) => measure(one, optionsFor(one, [shortened(one)], 2)));
        const kept = measureCatalog.filter(({ name, scope }) => scope !== 'stratum' && name !== 'novelty-utility');
        for (const { name } of kept) expectClose({ [name]: other![name]! }, { [name]: values![name]! });
      }),
    );
  });

  test('words beyond the budget change no measure of words', () => {
    const short = evaluationOf([texts('a b', 'c d'), texts('e f', 'g h'), texts('a c', 'b d'), texts('a d', 'h b')]);
    const long = {
      step: 40,
      answers: short.answers.map((one) => ({ ...one, text: `${one.text} — more and — more words` })),
    };
    const options = optionsFor(short, [long]);
    const [values, other] = [measure(short, options), measure(long, options)];
    for (const name of [
      'vocabulary-ratio',
      'distinct-2',
      'self-bleu-prompt',
      'self-bleu-across',
      'expectation-adjusted-distinct',
    ])
      expect(other[name], name).toEqual(values[name]);
    expect(values['em-dashes']!.all).toBe(0);
    expect(other['em-dashes']!.all).toBe(500); // the dash after the second word precedes the cut
  });

  test('garbling raises the vocabulary ratio and never the number of distinct good answers', () => {
    fc.assert(
      fc.property(groupsOf(4, 4), fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }), (groups, chosen) => {
        const before = evaluationOf(groups);
        let invented = 0;
        const garble = (text: string) =>
          words(text)
            .map(() => `q${invented++}`)
            .join(' ');
        const answers = before.answers.map((one, index) =>
          chosen[index] ? { ...one, text: garble(one.text), garbled: true } : one,
        );
        const after = { step: 1, answers };
        const options = optionsFor(before, [after], 2);
        const [values, other] = [before, after].map((one) => measure(one, { ...options, embeddings: lettersOf(one) }));
        for (const stratum of [...strata, 'all']) {
          expect(other!['vocabulary-ratio']![stratum]).toBeGreaterThanOrEqual(values!['vocabulary-ratio']![stratum]!);
          expect(other!['distinct-good']![stratum]).toBeLessThanOrEqual(values!['distinct-good']![stratum]! + 1e-12);
          expect(other!.garbled![stratum]).toBeGreaterThanOrEqual(values!.garbled![stratum]!);
        }
      }),
    );
  });
});

describe('controls: a measure that a change of form moves stands beside the measure of that form', () => {
  const half = (text: string) => words(text).slice(0, 3).join(' ');
  const changes: readonly (readonly [string, (answer: EvaluatedAnswer, index: number) => EvaluatedAnswer])[] = [
    ['words', (one) => ({ ...one, text: `${one.text} — and ${one.text}`, logProbability: 2 * one.logProbability })],
    [
      'terminated',
      (one) => ({ ...one, text: half(one.text), terminated: false, logProbability: one.logProbability / 2, reward: 0 }),
    ],
    [
      'garbled',
      (one, index) => ({
        ...one,
        text: one.text.replaceAll('e', `x${index}`),
        garbled: true,
        onTopic: false,
        logProbability: one.logProbability - 2,
        reward: 0,
      }),
    ],
  ];
  const vocabulary = ['elm', 'fern', 'dune', 'cedar', 'birch', 'apple', 'heath', 'iris', 'juniper', 'kelp'];
  const groups = Array.from({ length: 6 }, (_, prompt) =>
    Array.from({ length: 6 }, (_, index) => {
      const size = 9 + ((prompt + index) % 3);
      const list = Array.from({ length: size }, (_, at) => vocabulary[(prompt * 7 + index * 3 + at * at) % 10]!);
      return { text: list.join(index % 2 === 0 ? ' ' : ' — '), reward: 1, onTopic: true, garbled: false };
    }),
  );
  const before = evaluationOf(groups);

  test.each(changes)('%s', (control, change) => {
    const after = { step: 1, answers: before.answers.map(change) };
    // Each at its own budget: a budget that all share takes away a part of the effect, and the control is due even so.
    const [values, other] = [before, after].map((one) => measure(one, optionsFor(one, [], 3)));
    const moved = measureCatalog.filter(({ name }) => differs(values![name]!.all!, other![name]!.all!));
    expect(moved.length).toBeGreaterThan(8);
    for (const { name, controls, better } of moved) {
      if (better !== 'control') expect(controls, name).toContain(control);
    }
  });
});

describe('against the functions of the pilot, where definitions agree', () => {
  const sentences = [
    'the fox runs over the hill',
    'a fox — red — sleeps',
    'the hill is green and wide',
    'owls sleep by day',
  ];
  const evaluation = evaluationOf(
    Array.from({ length: 8 }, (_, prompt) =>
      texts(...sentences.map((text, index) => (index === prompt % 4 ? 'we see one more fox here' : text))),
    ),
  );
  const options = optionsFor(evaluation);
  const values = measure(evaluation, options);
  const head = evaluation.answers.filter(({ id }) => Number(id.slice(1)) % 2 === 0);

  test('em-dashes and vocabulary, without a cut', () => {
    const all = head.map(({ text }) => text);
    expect(values['em-dashes']!.head).toBeCloseTo(emDashPer1000Words(all), 12);
    expect(values['vocabulary-ratio']!.head).toBeCloseTo(vocabularyRatio(all), 12);
  });

  test('MATTR over the answers in turn', () => {
    const inTurn = [0, 1, 2, 3]
      .flatMap((index) => head.filter((one) => one.index === index))
      .flatMap(({ text }) => words(text));
    const ratios = Array.from(
      { length: inTurn.length - 49 },
      (_, start) => new Set(inTurn.slice(start, start + 50)).size / 50,
    );
    expect(values.mattr!.head).toBeCloseTo(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length, 12);
  });

  test('self-BLEU of equal answers is 1 and of answers without a common word 0', () => {
    const extremes = evaluationOf([texts('a b c d e', 'a b c d e'), texts('a b c d e', 'f g h i j')]);
    const { 'self-bleu-prompt': bleu } = measure(extremes, optionsFor(extremes));
    expect(bleu!.head).toBeCloseTo(1, 12);
    expect(bleu!.tail).toBe(0);
    expect(values['self-bleu-across']!.head).toBeCloseTo(
      [0, 1, 2, 3].reduce(
        (sum, index) => sum + selfBleu(head.filter((one) => one.index === index).map(({ text }) => text)) / 4,
        0,
      ),
      12,
    );
  });

  test('Vendi scores from the eigenvalues of the similarities', () => {
    // The similarities of 'ab', 'ab' and 'cd' have the eigenvalues 2/3, 1/3 and 0.
    const group = texts('ab', 'ab', 'cd');
    const twice = evaluationOf([group, group, group, group]);
    const vendi = Math.exp(-(2 / 3) * Math.log(2 / 3) - (1 / 3) * Math.log(1 / 3));
    const found = measure(twice, optionsFor(twice));
    expect(found['vendi-prompt']!.all).toBeCloseTo(vendi, 6);
    expect(found['good-vendi-prompt']!.all).toBeCloseTo((1 + 2 + 2) / 3, 6);
    expect(found['vendi-across']!.all).toBeCloseTo(1, 6);
    expect(found['embedding-spread']!.all).toBeCloseTo(8 / 15, 6); // 8 of the 15 pairs of 4 x 'ab' and 2 x 'cd'
  });
});

describe('values per prompt', () => {
  const evaluation = evaluationOf(
    Array.from({ length: 23 }, (_, prompt) => [
      { text: 'a', reward: prompt + 1 },
      { text: 'b', reward: prompt + 1 },
    ]),
  );
  const options = optionsFor(evaluation);

  test('stand in order of the prompts', () => {
    expect([...perPromptValues(evaluation, 'reward', options)]).toEqual(
      Array.from({ length: 23 }, (_, prompt) => prompt + 1),
    );
  });

  test('their mean over a stratum is the value of the stratum', () => {
    for (const { name, scope } of measureCatalog) {
      if (scope === 'stratum' || ['on-topic', 'garbled'].includes(name)) continue;
      const values = perPromptValues(evaluation, name, options).filter((_, prompt) => prompt % 2 === 0);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean, name).toBeCloseTo(measure(evaluation, options)[name]!.head!, 12);
    }
  });

  test('deciles of density divide the prompts, the rarest first', () => {
    const density = Float64Array.from({ length: 23 }, (_, prompt) => (prompt * 7) % 23);
    const deciles = measureByDensityDecile(evaluation, 'reward', density, options);
    expect(deciles.map(({ prompts }) => prompts)).toEqual([2, 2, 2, 3, 2, 2, 3, 2, 2, 3]);
    const total = deciles.reduce((sum, { prompts, mean }) => sum + prompts * mean, 0);
    expect(total).toBeCloseTo((23 * 24) / 2, 9);
    expect(deciles[0]!.mean).toBe((1 + 11) / 2); // densities 0 and 1 belong to the prompts 0 and 10
    expect(measureByDensityDecile(evaluation, 'garbled', density, options)[4]!.mean).toBeNaN();
    expect(() => measureByDensityDecile(evaluation, 'reward', [1], options)).toThrow('1 densities for 23');
  });

  test('with fewer than ten prompts, some deciles are empty', () => {
    const few = evaluationOf([texts('a'), texts('b'), texts('c')]);
    const deciles = measureByDensityDecile(few, 'words', [3, 1, 2], optionsFor(few));
    expect(deciles.map(({ prompts }) => prompts)).toEqual([0, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    expect(deciles[0]!.mean).toBeNaN();
  });

  test('measures of strata have none, and embeddings must be given', () => {
    expect(() => perPromptValues(evaluation, 'distinct-2', options)).toThrow('no value per prompt');
    expect(() => perPromptValues(evaluation, 'rewards', options)).toThrow('did you mean "reward"?');
    const { embeddings: _, ...without } = options;
    expect(() => perPromptValues(evaluation, 'vendi-prompt', without)).toThrow('vendi-prompt needs `embeddings`');
  });
});

test('without a judge, good answers have a reward above the median of the start model', () => {
  const evaluation = evaluationOf([
    [
      { text: 'a', reward: 3 },
      { text: 'b', reward: 3, garbled: true },
      { text: 'c', reward: 3, onTopic: false },
      { text: 'd', reward: 2 },
      { text: 'e', reward: 0, good: true, garbled: true },
      { text: 'f', reward: 3, good: false },
    ],
  ]);
  expect(medianReward(evaluation)).toBe(3);
  expect(goodAnswers(evaluation, 2)).toEqual([true, false, false, false, true, false]);
});

test('without embeddings, exactly their measures are left out', () => {
  const evaluation = evaluationOf([texts('a', 'b'), texts('c', 'd')]);
  const { embeddings: _, ...options } = optionsFor(evaluation);
  const expected = measureCatalog.map(({ name }) => name).filter((name) => !embeddingMeasures.includes(name));
  expect(Object.keys(measure(evaluation, options))).toEqual(expected);
});

test('an empty text has a meaning of its own', () => {
  const evaluation = evaluationOf([texts('', ''), texts('', 'a')]);
  const { 'vendi-prompt': vendi } = measure(evaluation, optionsFor(evaluation));
  expect(vendi!.head).toBeCloseTo(1, 6);
  expect(vendi!.tail).toBeCloseTo(2, 6);
});

test('an evaluation with too few words has no measures of words, and all others', () => {
  const long = evaluationOf([texts('a b c d e', 'f g h i j'), texts('a b', 'c d')]);
  const silent = evaluationOf([texts('', 'x'), texts('a b', 'c d')], 40);
  const options = optionsFor(silent, [long, long]);
  const values = measure(silent, options);
  expect(values['vocabulary-ratio']).toEqual({ head: Number.NaN, tail: 1, all: Number.NaN });
  expect(values.words!.head).toBe(0.5);
  expect(options.budgets.tooShort.filter(({ unit }) => unit === 'words')).toMatchObject([
    { step: 40, stratum: 'head' },
  ]);
});

test('measures of good answers take equally many of each evaluation, with equally many words', () => {
  const good = (count: number, text: string) =>
    Array.from({ length: 12 }, (_, index) => ({ text: index < count ? text : 'bad', reward: Number(index < count) }));
  const few = evaluationOf([good(8, 'a b c'), good(9, 'a b c')]);
  const many = evaluationOf([good(12, 'a b c d'), good(12, 'a b c d')], 40);
  const { embeddings: _, ...options } = optionsFor(few, [many]);
  expect(options.budgets.strata).toMatchObject({
    head: { goodAnswers: 8, goodWords: 24 },
    tail: { goodAnswers: 9, goodWords: 27 },
  });
  for (const evaluation of [few, many]) {
    const values = measure(evaluation, options);
    expect(values['good-vocabulary-ratio']).toMatchObject({ head: 3 / 24, tail: 3 / 27 });
    expect(values['good-distinct-2']).toMatchObject({ head: 2 / 16, tail: 2 / 18 });
  }
});

test('options that do not fit are refused', () => {
  const evaluation = evaluationOf([texts('a', 'b'), texts('c', 'd')]);
  const options = optionsFor(evaluation);
  expect(() => measure(evaluation, { ...options, k: 3 })).toThrow('k must be an integer in [1, 2], got 3');
  expect(() => measure(evaluation, { ...options, K: 3 } as MeasureOptions)).toThrow('measure has no option "K"');
  expect(() => measure(evaluation, { ...options, budgets: { ...options.budgets, answers: 3 } })).toThrow(
    'the budgets have 3 answers per prompt, but a prompt has 2',
  );
  const embeddings = { data: new Float32Array(3), rows: 3, cols: 1 };
  expect(() => measure(evaluation, { ...options, embeddings })).toThrow('embeddings has 3 rows for 4 answers');
});

function differs(a: number, b: number): boolean {
  return Number.isNaN(a) !== Number.isNaN(b) || Math.abs(a - b) > 1e-9;
}

type Values = Readonly<Record<string, Readonly<Record<string, number>>>>;

function expectClose(found: Values, expected: Values): void {
  for (const [name, byStratum] of Object.entries(expected)) {
    for (const [stratum, value] of Object.entries(byStratum)) {
      const other = found[name]![stratum]!;
      expect(differs(other, value), `${name} of ${stratum}: ${other} and ${value}`).toBe(false);
    }
  }
}
