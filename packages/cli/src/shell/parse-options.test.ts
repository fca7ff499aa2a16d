import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { didYouMean } from './did-you-mean.js';
import { parseOptions } from './parse-options.js';

const definitions = {
  'out-file': { type: 'text', valueHint: 'file', required: true, description: '' },
  k: { type: 'integer', min: 1, max: 100, default: 10, description: '' },
  share: { type: 'number', min: 0, max: 1, description: '' },
  exponent: { type: 'number', description: '' },
  mode: { type: 'choice', choices: ['stop', 'skip'], default: 'stop', description: '' },
  resume: { type: 'flag', description: '' },
  reward: { type: 'list', valueHint: 'name', description: '' },
} as const;
const parse = (line: string) => parseOptions(definitions, line.split(' ')).values;

test('values are typed and named in camelCase; the last of a repeated option counts, and a list keeps them all', () => {
  expect(parse('--out-file a --out-file=b')).toEqual({
    outFile: 'b',
    k: 10,
    share: undefined,
    exponent: undefined,
    mode: 'stop',
    resume: false,
    reward: [],
  });
  expect(parse('--out-file - --k 1e2 --exponent -1.5 --mode=skip --resume --reward a --reward=b')).toEqual({
    outFile: '-',
    k: 100,
    exponent: -1.5,
    mode: 'skip',
    resume: true,
    reward: ['a', 'b'],
  });
  expect(parse('--out-file=--odd-name').outFile).toBe('--odd-name');
});

test('options that were given are told from defaults', () => {
  const { given } = parseOptions(definitions, ['--out-file', 'a', '--k=10', '--resume']);
  expect([...given]).toEqual(['out-file', 'k', 'resume']);
});

test.each([
  ['--k 3', '--out-file is required'],
  ['--out-file', '--out-file needs a value'],
  ['--out-file=', '--out-file needs a value'],
  ['--out-file --resume', '--out-file needs a value'],
  ['--out-file a --outfile b', 'unknown option --outfile. Did you mean --out-file?'],
  ['--out-file a --constructor', 'unknown option --constructor. --help lists the options.'],
  ['--out-file a --no-resume', 'unknown option --no-resume'],
  ['--out-file a -k 3', 'unknown option -k'],
  ['--out-file a b', 'unexpected argument "b"'],
  ['--out-file a -- b', 'unexpected argument "b"'],
  ['--out-file a --resume=yes', '--resume takes no value'],
  ['--out-file a --k 2.5', '--k must be an integer, at least 1 and at most 100; got 2.5'],
  [
    '--out-file a --share 50',
    '--share must be a number, at least 0 and at most 1; got 50. Did you mean 0.5? It is a share, not a percentage.',
  ],
  ['--out-file a --share -1', '--share must be a number, at least 0 and at most 1; got -1.'],
  ['--out-file a --k 0', 'got 0'],
  ['--out-file a --k 101', 'got 101'],
  ['--out-file a --exponent NaN', '--exponent must be a number; got NaN'],
  ['--out-file a --exponent 1x', 'got 1x'],
  ['--out-file a --mode skpi', '--mode must be one of stop, skip; got skpi. Did you mean skip?'],
])('%s: %s', (line, message) => {
  expect(() => parse(line)).toThrow(InvalidArgumentError);
  expect(() => parse(line)).toThrow(message);
});

test('only near names are suggested', () => {
  expect(didYouMean('embde', ['embed', 'density'])).toBe(' Did you mean embed?');
  expect(didYouMean('x', ['embed', 'density'])).toBe('');
  expect(didYouMean('', ['a'])).toBe('');
  expect(didYouMean('-o', ['--k', '--out'])).toBe('');
  expect(didYouMean('-k', ['--k', '--out'])).toBe(' Did you mean --k?');
  expect(didYouMean('--target', ['--target-ess', '--target-ess-of-all'])).toBe(' Did you mean --target-ess?');
  expect(didYouMean('--targetEss', ['--target-ess', '--out'])).toBe(' Did you mean --target-ess?');
  expect(didYouMean('ONNX', ['use', 'onnx'])).toBe(' Did you mean onnx?');
});
