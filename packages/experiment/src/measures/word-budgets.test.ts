import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Evaluation } from '../runs/run-record.js';
import { answeredPrompts, median } from './graded-answers.js';
import { atBudget, fewestGood, membersOf, wordBudgets } from './word-budgets.js';

const heldOut = [
  { id: 'b', stratum: 'head' },
  { id: 'a', stratum: 'head' },
  { id: 'c', stratum: 'tail' },
];
const strata = ['head', 'tail'];

/** Texts by prompt, in order of `heldOut`; a text that begins with + has the reward 1, any other 0. */
function evaluation(texts: readonly (readonly string[])[], step = 0): Evaluation {
  const answers = texts.flatMap((group, prompt) =>
    group.map((text, index) => ({
      id: heldOut[prompt]!.id,
      index,
      text,
      tokens: 1,
      terminated: true,
      reward: Number(text.startsWith('+')),
      logProbability: -1,
      startLogProbability: -1,
    })),
  );
  return { step, answers };
}
const budgetsOf = (evaluations: readonly Evaluation[]) => wordBudgets(evaluations, heldOut, strata, 0.5);

test('the smallest evaluation gives the answers and words of each stratum', () => {
  const first = evaluation([['one two', 'three'], ['four'], ['five six', 'seven', 'eight']]);
  const second = evaluation([['one'], ['two'], ['three four five', 'six']]);
  expect(budgetsOf([first, second])).toEqual({
    answers: 1,
    strata: {
      head: { words: 2, medianWords: 2.5, goodAnswers: 0, goodWords: 0 },
      tail: { words: 2, medianWords: 2.5, goodAnswers: 0, goodWords: 0 },
    },
    vocabularySize: 8,
    tooShort: expect.arrayContaining([
      { evaluation: 0, step: 0, stratum: 'head', unit: 'good answers', count: 0, median: 0 },
    ]),
  });
});

test('an evaluation with less than a quarter of the words of the median is reported and cuts no other', () => {
  const long = evaluation([['a b c d'], ['e f g h'], ['i j']]);
  const silent = evaluation([['a'], [''], ['k l m']], 40);
  const { strata: budgets, tooShort } = budgetsOf([long, silent, long]);
  expect(budgets.head).toMatchObject({ words: 8, medianWords: 8 });
  expect(budgets.tail).toMatchObject({ words: 2, medianWords: 2 });
  expect(tooShort.filter(({ unit }) => unit === 'words')).toEqual([
    { evaluation: 1, step: 40, stratum: 'head', unit: 'words', count: 1, median: 8 },
  ]);
});

test('good answers count from the first eight', () => {
  const good = (count: number) =>
    evaluation([
      Array.from({ length: 9 }, (_, i) => (i < count ? '+a b' : 'c')),
      Array(9).fill('d'),
      Array(9).fill('+e'),
    ]);
  const { strata: budgets, tooShort } = budgetsOf([good(9), good(fewestGood), good(fewestGood - 1)]);
  expect(budgets.head).toMatchObject({ goodAnswers: fewestGood, goodWords: 16 });
  expect(budgets.tail).toMatchObject({ goodAnswers: 9, goodWords: 9 });
  expect(tooShort).toEqual([
    { evaluation: 2, step: 0, stratum: 'head', unit: 'good answers', count: fewestGood - 1, median: fewestGood },
  ]);
});

const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 6 }).map((list) => list.join(' '));
const group = fc.array(text, { minLength: 1, maxLength: 4 });
const groups = fc.tuple(group, group, group).map((lists) => evaluation(lists));

describe('for any evaluations', () => {
  test('each has exactly the budget, or is reported', () => {
    fc.assert(
      fc.property(fc.array(groups, { minLength: 1, maxLength: 5 }), (evaluations) => {
        const { answers, strata: budgets, tooShort } = budgetsOf(evaluations);
        evaluations.forEach((one, evaluation) => {
          for (const stratum of strata) {
            const members = membersOf(answeredPrompts(one, heldOut, strata, 0.5), stratum, answers);
            const cut = atBudget(
              members.map(({ words }) => words),
              members.length,
              budgets[stratum]!.words,
            );
            const isShort = tooShort.some(
              (entry) => entry.evaluation === evaluation && entry.stratum === stratum && entry.unit === 'words',
            );
            expect(cut === undefined).toBe(isShort);
            if (cut === undefined) continue;
            expect(cut).toHaveLength(answers * heldOut.filter((prompt) => prompt.stratum === stratum).length);
            expect(cut.flat()).toHaveLength(budgets[stratum]!.words);
          }
        });
      }),
    );
  });

  test('the order of evaluations and of prompts changes no budget', () => {
    fc.assert(
      fc.property(fc.array(groups, { minLength: 1, maxLength: 5 }), (evaluations) => {
        const { tooShort: _, ...budgets } = budgetsOf(evaluations);
        const { tooShort: __, ...other } = wordBudgets(evaluations.toReversed(), heldOut.toReversed(), strata, 0.5);
        expect(other).toEqual(budgets);
      }),
    );
  });
});

test('the median of an even number of values is the mean of the middle ones', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 10])).toBe(3);
  expect(median([])).toBeNaN();
});

test('answers that do not fit the held-out prompts are refused', () => {
  const whole = evaluation([['a'], ['b'], ['c']]);
  expect(() => budgetsOf([])).toThrow('at least one evaluation');
  expect(() => budgetsOf([evaluation([['a'], ['b'], []])])).toThrow('no answer to the held-out prompt "c"');
  expect(() => wordBudgets([whole], heldOut.slice(0, 2), strata, 0)).toThrow('answer 2 belongs to "c"');
  expect(() => wordBudgets([whole], heldOut, ['head'], 0)).toThrow(
    '"c" is in stratum "tail", but the strata are "head"',
  );
  expect(() => wordBudgets([whole], heldOut, ['head', 'tail', 'all'], 0)).toThrow('named "all"');
  expect(() => wordBudgets([whole], [...heldOut, heldOut[0]!], strata, 0)).toThrow(
    'two held-out prompts have the id "b"',
  );
});
