import { expect, test } from 'vitest';
import { checkSubject } from './subject-members.js';

test('variants must be functions and texts strings', () => {
  const check = (members: object) => () => checkSubject('embedder', { create: () => {}, ...members });
  expect(check({ variants: () => {} })).toThrow('`variants` must be an array of functions, got a function');
  expect(check({ variants: [{}] })).toThrow('`variants` must be an array of functions, got one with an object');
  expect(check({ texts: 'abc' })).toThrow('`texts` must be an array of strings, got a string');
  expect(check({ variants: [() => {}], texts: ['a', 'b', 'c'] })).not.toThrow();
});
