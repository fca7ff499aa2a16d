import { expect, test } from 'vitest';
import { minimumDetectableEffect, runsNeeded } from '../statistics/power.js';
import { planPower } from './plan-power.js';
import { csv } from './report-files.js';

const pilot = {
  'distinct-good': [
    [1, 1.1, 1.2, 0.9],
    [1.3, 1.4, 1.5, 1.2],
  ],
  steady: [
    [2, 2],
    [2, 2],
  ],
};

test('a pilot says what so many runs find, and how many runs a difference needs', () => {
  const [power, ...others] = planPower(pilot, { runs: [3, 6, 12], shares: [0.2], powers: [0.8] });
  expect(others).toEqual([]); // nothing varies in the other measure
  const deviation = Math.sqrt(0.05 / 3); // both arms have a sum of squares of 0.05
  expect(power).toMatchObject({
    measure: 'distinct-good',
    deviation: expect.closeTo(deviation, 12),
    uncertainty: 1 / Math.sqrt(12),
  });
  expect(power!.mean).toBeCloseTo(1.05, 12);
  expect(power!.detectable[0]).toEqual({ runs: 3, power: 0.8, difference: null, share: null });
  expect(power!.detectable[1]!.difference).toBeCloseTo(minimumDetectableEffect({ sizes: [6, 6], deviation }), 12);
  expect(power!.detectable[1]!.share).toBeCloseTo(power!.detectable[1]!.difference! / 1.05, 12);
  expect(power!.needed).toEqual([{ share: 0.2, power: 0.8, runs: runsNeeded({ effect: 0.21, deviation }) }]);
});

test('what a pilot cannot say is refused', () => {
  expect(() => planPower(pilot, { measures: ['mattr'] })).toThrow('no measure "mattr"; it has distinct-good, steady');
  expect(() => planPower({ reward: [[1], [2]] })).toThrow('no arm with two runs of reward');
  expect(() => planPower(pilot, { shares: [0] })).toThrow('share must be above 0');
  expect(() => planPower(pilot, { run: [3] } as never)).toThrow('did you mean "runs"?');
});

test('CSV quotes what RFC 4180 asks for, and disarms formulas but not numbers', () => {
  const rows = [
    ['=SUM(A1)', -1.5, null],
    ['a "b", c', Number.NaN, 1e-7],
    ['-x', 0, 2],
    ['two\nlines', 1, 1],
  ];
  expect(csv(['name', 'value', 'p'], rows)).toBe(
    'name,value,p\r\n\'=SUM(A1),-1.5,\r\n"a ""b"", c",,1e-7\r\n\'-x,0,2\r\n"two\nlines",1,1\r\n',
  );
});
