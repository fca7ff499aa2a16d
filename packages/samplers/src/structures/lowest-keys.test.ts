import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lowestKeys } from './lowest-keys.js';

const sorted = (keys: Float64Array) => Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);

test('the lowest keys in order, ties by index, for few and many keys, equal and different', () => {
  const kinds = [
    fc.double({ min: 0, noNaN: true }),
    fc.double({ min: 1, max: 1 + 2 ** -40, noNaN: true }), // with equal upper words
    fc.constantFrom(0, 0.5, 1, Infinity),
  ];
  for (const kind of kinds) {
    fc.assert(
      fc.property(
        fc.array(kind, { minLength: 1, maxLength: 50 }),
        fc.constantFrom(1, 70),
        fc.nat(),
        (some, times, at) => {
          const keys = Float64Array.from({ length: some.length * times }, (_, index) => some[index % some.length]! + 0);
          const count = at % (keys.length + 1);
          expect(Array.from(lowestKeys(keys, count))).toEqual(sorted(keys).slice(0, count));
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  }
});
