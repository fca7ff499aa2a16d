import { expect, test } from 'vitest';
import { checkLineIds } from './line-ids.js';

test('ids that cannot stand on a line of their own are named', () => {
  checkLineIds(['a', 'b c', '😀']);
  expect(() => checkLineIds(['a', ''])).toThrow('is empty');
  expect(() => checkLineIds(['a\nb'])).toThrow('contains a line break');
  expect(() => checkLineIds(['\ud83d'])).toThrow('contains half a character');
});
