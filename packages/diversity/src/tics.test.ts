import { InvalidArgumentError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { emDashPer1000Words, ratePer1000Words, tics } from './tics.js';
import { words } from './words.js';

describe('emDashPer1000Words', () => {
  test.each([
    ['one — two—three', 2],
    ['one--two -- three', 2],
    ['“Stop!”—he said', 1],
    ['caf\u00e9--bar a--b--c', 3],
    ['one – two - three well-known', 0],
    ['---\n<!-- note --> run --fast -- 2--3 x-- --y a --- b', 0],
  ])('%j has %i', (text, dashes) => {
    expect(emDashPer1000Words([text])).toBeCloseTo((1000 * dashes) / words(text).length, 9);
  });

  test('counts over all texts together; NaN without words', () => {
    expect(emDashPer1000Words(['a — b', 'c d e f g h'])).toBe(125);
    expect(emDashPer1000Words(['—'])).toBeNaN();
    expect(emDashPer1000Words([])).toBeNaN();
  });
});

describe('tics', () => {
  const count = (tic: keyof typeof tics, text: string) =>
    Math.round((ratePer1000Words([text], tics[tic]) * words(text).length) / 1000);

  test.each([
    ["It's not just a tool, but a partner.", 1],
    ['This isn’t merely fast; it’s free. It is not only cheap — it is good.', 2],
    ['Not simply old but broken', 1],
    ['I did not just leave. But it rained.', 0],
    ['They cannot only wait', 0],
  ])('notJust in %j: %i', (text, expected) => expect(count('notJust', text)).toBe(expected));

  test.each([
    ['Certainly! Boil the water.', 1],
    [' great question, that', 1],
    ['Surely not', 0],
    ['Yes. Of course.', 0],
  ])('eagerOpening in %j: %i', (text, expected) => expect(count('eagerOpening', text)).toBe(expected));

  test('excessWords', () => {
    expect(count('excessWords', 'Delve into it, delving; this underscores and showcased that. A shovel delved.')).toBe(
      5,
    );
  });
});

test('a pattern without the flag g counts all matches, and its state does not matter', () => {
  const pattern = /a/;
  const sticky = /a/g;
  sticky.lastIndex = 2;
  for (const each of [pattern, sticky]) expect(ratePer1000Words(['a b a', 'a'], each)).toBe(750);
});

test('needs strings and a pattern', () => {
  expect(() => ratePer1000Words([['a']] as unknown as string[], /a/)).toThrow(InvalidArgumentError);
  expect(() => ratePer1000Words('a' as unknown as string[], /a/)).toThrow(InvalidArgumentError);
  expect(() => ratePer1000Words(['a'], 'a' as unknown as RegExp)).toThrow(InvalidArgumentError);
});
