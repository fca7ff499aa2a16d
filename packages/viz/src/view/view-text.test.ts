import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstCharacters } from './view-text.js';

test('firstCharacters counts whole code points', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(20), (text, count) => {
      expect(firstCharacters(text, count)).toBe([...text].slice(0, count).join(''));
    }),
  );
});
