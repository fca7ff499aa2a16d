import { InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diversityByScope, equalBudgets, type Member } from './budgets.js';
import { distinctN } from './lexical.js';
import type { Text } from './words.js';

const text = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 9 });
const set = fc.array(text, { minLength: 1, maxLength: 6 });
const seed = fc.integer();
const total = (tokens: readonly (readonly unknown[])[]) => tokens.reduce((sum, list) => sum + list.length, 0);

describe('equalBudgets', () => {
  test('shortens the longest texts to exactly the words of the smallest set', () => {
    const [long, short] = equalBudgets(
      [
        ['a b c d e f', 'a', 'a b c d'],
        ['x y', 'x y', 'x y z'],
      ],
      { seed: 1 },
    );
    expect(long).toEqual([['a', 'b', 'c'], ['a'], ['a', 'b', 'c']]);
    expect(short).toEqual([
      ['x', 'y'],
      ['x', 'y'],
      ['x', 'y', 'z'],
    ]);
  });

  test('of equally long texts, the first ones lose a word more', () => {
    const [cut] = equalBudgets([['a b c', 'd e f', 'g h i']], { seed: 1, words: 7 });
    expect(cut).toEqual([
      ['a', 'b'],
      ['d', 'e'],
      ['g', 'h', 'i'],
    ]);
  });

  test('gives equal budgets, keeps prefixes in order, and is deterministic', () => {
    fc.assert(
      fc.property(fc.array(set, { minLength: 1, maxLength: 4 }), seed, (sets, number) => {
        const cut = equalBudgets(sets, { seed: number });
        expect(equalBudgets(sets, { seed: number })).toEqual(cut);
        const fewest = Math.min(...sets.map((texts) => texts.length));
        for (const [index, texts] of cut.entries()) {
          expect(texts.length).toBe(fewest);
          expect(total(texts)).toBe(total(cut[0]!));
          const lengths = texts.map((tokens) => tokens.length);
          // In order, each one is the beginning of a text of the set, and only texts longer than all others are cut.
          let from = 0;
          for (const tokens of texts) {
            const isSource = (source: readonly number[]) =>
              tokens.every((token, at) => token === source[at]) &&
              (tokens.length === source.length || tokens.length >= Math.max(...lengths) - 1);
            const found = sets[index]!.findIndex((source, position) => position >= from && isSource(source));
            expect(found).toBeGreaterThanOrEqual(from);
            from = found + 1;
          }
        }
      }),
      { seed: 1 },
    );
  });

  test('sets of equal size keep the same positions; the seed chooses them uniformly', () => {
    const answers = Array.from({ length: 5 }, (_, position) => [position]);
    const counts = new Float64Array(5);
    for (let number = 0; number < 2000; number++) {
      const [a, b] = equalBudgets([answers, answers], { seed: number, texts: 2 });
      expect(a).toEqual(b);
      for (const [position] of a!) counts[position as number]!++;
    }
    // Each of 5 positions has probability 2/5; 800 ± 22 in 2,000 seeds, so 5 standard deviations are 110.
    for (const count of counts) expect(Math.abs(count - 800)).toBeLessThan(110);
  });

  test('wrong input', () => {
    const sets = [['a b', 'c'], ['d e']];
    expect(equalBudgets([], { seed: 1 })).toEqual([]);
    expect(() => equalBudgets(sets, { seed: 1, texts: 2 })).toThrow(
      'texts is 2, but a set has only 1; use at most that',
    );
    expect(() => equalBudgets(sets, { seed: 1, words: 9 })).toThrow(
      /^words is 9, but a set has only [12]; use at most/,
    );
    expect(() => equalBudgets(sets, { seed: 0.5 })).toThrow(InvalidArgumentError);
    expect(() => equalBudgets(sets, { seed: 1, words: 0 })).toThrow(InvalidArgumentError);
    expect(() => equalBudgets(sets, { seed: 1, tokens: 5 } as never)).toThrow('equalBudgets has no option "tokens"');
    expect(() => equalBudgets('ab' as never, { seed: 1 })).toThrow('sets must be an array, got a string');
    expect(() => equalBudgets(['ab'] as never, { seed: 1 })).toThrow('texts must be an array, got a string');
  });
});

describe('diversityByScope', () => {
  const distinct = (texts: readonly Text[]) => distinctN(texts, 1);

  test('a policy that answers each prompt in one way of its own collapses per prompt only, and the reverse', () => {
    const own = ['a', 'b', 'c'].map((word) => [word, word, word]);
    expect(diversityByScope(own, distinct, { seed: 1 })).toEqual({
      perPrompt: 1 / 3,
      acrossPrompts: 1,
      texts: 3,
      words: 3,
    });
    const same = own.map(() => ['a', 'b', 'c']);
    const acrossPrompts = Array.from({ length: 300 }, (_, number) => {
      const scopes = diversityByScope(same, distinct, { seed: number });
      expect(scopes.perPrompt).toBe(1);
      return scopes.acrossPrompts;
    });
    // Three independent words of three: 3 (1 - (2/3)³) distinct ones on average, and 900 sets with a deviation below 0.3 each.
    const mean = acrossPrompts.reduce((sum, value) => sum + value, 0) / acrossPrompts.length;
    expect(Math.abs(mean - (1 - (2 / 3) ** 3))).toBeLessThan(0.05);
    const constant = own.map(() => ['a', 'a', 'a']);
    expect(diversityByScope(constant, distinct, { seed: 1 })).toMatchObject({ perPrompt: 1 / 3, acrossPrompts: 1 / 3 });
  });

  test('regroups the same answers into sets of equal texts and words', () => {
    const group = fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 9 }), {
      minLength: 2,
      maxLength: 5,
    });
    fc.assert(
      fc.property(fc.array(group, { minLength: 2, maxLength: 5 }), seed, (groups, number) => {
        const seen: Member[][] = [];
        const budgets = new Set<string>();
        const result = diversityByScope(
          groups,
          (texts, members) => {
            texts.forEach((tokens, index) => {
              const { prompt, answer } = members[index]!;
              expect(groups[prompt]![answer]!.slice(0, tokens.length)).toEqual(tokens);
            });
            budgets.add(`${texts.length} ${total(texts)}`);
            seen.push([...members]);
            return seen.length;
          },
          { seed: number },
        );
        expect([...budgets]).toEqual([`${result.texts} ${result.words}`]);
        const names = (sets: readonly Member[][]) =>
          sets
            .flat()
            .map(({ prompt, answer }) => `${prompt} ${answer}`)
            .sort();
        const byPrompt = seen.slice(0, groups.length);
        const across = seen.slice(groups.length);
        expect(across.length).toBe(groups.length);
        expect(names(across)).toEqual(names(byPrompt));
        expect(new Set(names(across)).size).toBe(groups.length * result.texts);
        for (const members of byPrompt) expect(new Set(members.map(({ prompt }) => prompt)).size).toBe(1);
        for (const members of across) expect(new Set(members.map(({ prompt }) => prompt)).size).toBe(result.texts);
        expect(result.perPrompt).toBeCloseTo((groups.length + 1) / 2, 12);
        expect(result.acrossPrompts).toBeCloseTo((3 * groups.length + 1) / 2, 12);
      }),
      { seed: 2 },
    );
  });

  test('wrong input', () => {
    const groups = [
      ['a', 'b'],
      ['c', 'd e'],
    ];
    const call = (options: object, input: readonly (readonly Text[])[] = groups) =>
      diversityByScope(input, distinct, { seed: 1, ...options });
    expect(() => call({}, [['a', 'b']])).toThrow('at least two prompts with at least two answers each');
    expect(() => call({}, [['a', 'b'], ['c']])).toThrow(InvalidArgumentError);
    expect(() => call({ texts: 3 })).toThrow('texts must be an integer in [2, 2], got 3');
    expect(() => call({ words: 3 })).toThrow('words is 3, but a set has only 2; use at most that');
    expect(() => call({ size: 3 })).toThrow('diversityByScope has no option "size"');
    expect(() => diversityByScope('ab' as never, distinct, { seed: 1 })).toThrow(
      'groups must be an array, got a string',
    );
  });
});
