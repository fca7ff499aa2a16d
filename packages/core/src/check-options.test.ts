import { expect, test } from 'vitest';
import { callOptionNames, checkOptions, nearestName } from './check-options.js';
import { InvalidArgumentError } from './errors.js';

const known = ['k', 'neighbors', 'minDistance', ...callOptionNames];

test('accepts known names, no options, and unknown names without a value', () => {
  checkOptions(undefined, known, 'umap');
  checkOptions({}, [], 'umap');
  checkOptions({ k: 3, signal: undefined, neighbors: 5, neighbour: undefined }, known, 'umap');
});

test('suggests the nearest name if few letters differ', () => {
  const near = [
    ['neighbours', 'neighbors'],
    ['Neighbors', 'neighbors'],
    ['mindistance', 'minDistance'],
    ['on_event', 'onEvent'],
    ['singal', 'signal'],
  ];
  for (const [wrong, right] of near) {
    const message = `umap has no option "${wrong}"; did you mean "${right}"?`;
    expect(() => checkOptions({ k: 3, [wrong!]: 1 }, known, 'umap')).toThrow(new InvalidArgumentError(message));
  }
});

test('a swap of two neighboring letters is one edit', () => {
  const suggestion = (wrong: string, names: readonly string[]) => () =>
    checkOptions({ [wrong]: 1 }, names, 'embedToFile');
  expect(suggestion('dytpe', ['dtype'])).toThrow('embedToFile has no option "dytpe"; did you mean "dtype"?');
  expect(suggestion('otu', ['out'])).toThrow('did you mean "out"?');
  expect(suggestion('uot', ['out'])).toThrow('did you mean "out"?');
  expect(suggestion('tou', ['out'])).toThrow('it has the options "out"'); // not a swap of neighbors
});

test('lists all names if none is near', () => {
  expect(() => checkOptions({ perplexity: 30 }, ['k', 'epsilon'], 'knnDistance')).toThrow(
    'knnDistance has no option "perplexity"; it has the options "k", "epsilon"',
  );
  expect(() => checkOptions({ x: 1 }, ['k'], 'knnDistance')).toThrow('it has the options "k"');
  expect(() => checkOptions({ x: 1 }, [], 'pca')).toThrow('pca has no option "x"; it has no options');
});

test('rejects values that are not objects', () => {
  for (const options of [null, 10, 'k=10']) {
    expect(() => checkOptions(options as unknown as object, known, 'umap')).toThrow(
      `the options of umap must be an object, got ${JSON.stringify(options)}`,
    );
  }
});

test('the nearest name is found for a text with few other letters, and for no other', () => {
  expect(nearestName('fromWeight', ['read', 'fromWeights'])).toBe('fromWeights');
  expect(nearestName('prompts', ['read', 'fromWeights'])).toBeUndefined();
});

test('rejects a list, and a signal or a listener of another type', () => {
  const refused = (options: object) => () => checkOptions(options, known, 'umap');
  expect(refused([1])).toThrow('the options of umap must be an object, got an array');
  expect(refused(() => {})).toThrow('the options of umap must be an object, got a function');
  expect(refused({ signal: new AbortController() })).toThrow(
    'signal must be an AbortSignal, got an object; give its `signal`',
  );
  expect(refused({ signal: 'stop' })).toThrow('signal must be an AbortSignal, got a string');
  expect(refused({ onEvent: 'log' })).toThrow('onEvent must be a function, got "log"');
  checkOptions({ signal: AbortSignal.timeout(1), onEvent: () => {} }, known, 'umap');
});
