import { expect, test } from 'vitest';
import { entropyControl } from './entropy-control.js';
import { dapoLoss } from './policy-losses.js';

test('a fixed coefficient is left to the loss', () => {
  const control = entropyControl(dapoLoss({ entropyCoef: 0.1 }));
  control.observe(0);
  expect([control.applied, control.coefficient, control.state()]).toEqual([undefined, undefined, null]);
});

test('the coefficient grows below the target and shrinks above it, and applies only below, as in TRL', () => {
  const control = entropyControl(dapoLoss({ entropyCoef: 0.5, adaptiveEntropy: { target: 1, delta: 0.25, max: 1 } }));
  expect([control.applied, control.coefficient]).toEqual([0, 0.5]); // no step yet
  const seen = [0.9, 1, 0.5, 1.1, 2, 3, 3, 3].map((entropy) => {
    control.observe(entropy);
    return [control.applied, control.coefficient];
  });
  expect(seen).toEqual([
    [0.75, 0.75],
    [1, 1],
    [1, 1],
    [0, 0.75],
    [0, 0.5],
    [0, 0.25],
    [0, 0],
    [0, 0],
  ]);
});

test('the state continues the control', () => {
  const loss = dapoLoss({ adaptiveEntropy: {} });
  const first = entropyControl(loss);
  const fresh = entropyControl(loss);
  fresh.restore(JSON.parse(JSON.stringify(first.state())));
  expect(fresh.applied).toBe(0);
  first.observe(0.1);
  const second = entropyControl(loss);
  second.restore(JSON.parse(JSON.stringify(first.state())));
  expect([second.applied, second.coefficient]).toEqual([0.005, 0.005]);
});
