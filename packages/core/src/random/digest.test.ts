import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digest } from './digest.js';

test('digests are the same on every platform', () => {
  expect(digest([])).toBe('6b20015999ba4efe'); // the published Threefry vector of zeros
  expect(digest([1, 2.5, -1e300])).toBe('7b1a92c581c90498');
  expect(digest([3], digest([1, 2.5, -1e300]))).toBe('8abede4f333fdfb5');
});

test('equal numbers give equal digests, whatever array holds them', () => {
  expect(digest(Float32Array.of(0.5, 3))).toBe(digest([0.5, 3]));
  expect(digest(Int32Array.of(7))).toBe(digest(Float64Array.of(7)));
});

test('any change of a value, the order, the length or the chain changes the digest', () => {
  const lists = fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(lists, fc.nat(), fc.double({ noNaN: true }), (values, chosen, value) => {
      const original = digest(values);
      expect(original).toMatch(/^[0-9a-f]{16}$/);
      const changed = chosen % values.length;
      if (!Object.is(values[changed], value)) expect(digest(values.with(changed, value))).not.toBe(original);
      expect(digest([...values, 0])).not.toBe(original);
      expect(digest(values.slice(1))).not.toBe(original);
      expect(digest(values, original)).not.toBe(original);
      const reversed = values.toReversed();
      if (!reversed.every((number, index) => Object.is(number, values[index])))
        expect(digest(reversed)).not.toBe(original);
    }),
    { numRuns: 500, seed: 1 },
  );
  expect(digest([0])).not.toBe(digest([-0]));
  expect(digest([1, 2])).not.toBe(digest([2], digest([1])));
});
