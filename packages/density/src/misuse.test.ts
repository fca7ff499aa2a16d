import { InvalidArgumentError, type NeighborIndex, type Weighting, type WeightTransform } from '@rarefy/core';
import { autoIndex } from '@rarefy/neighbors/auto';
import { normalPoints } from '@rarefy/testing';
import { describe, expect, test } from 'vitest';
import {
  cap,
  clusterDensity,
  compose,
  inverseDensity,
  kernelDensity,
  knnDistance,
  knnSimilarity,
  mixUniform,
  raceDensity,
  sphericalKMeans,
  targetEss,
  type WeighOptions,
  weighPrompts,
  weightTransform,
} from './index.js';

const points = normalPoints(30, 4, 1);

/** What JavaScript lets through and TypeScript does not. */
const untyped = <Value>(value: unknown) => value as Value;

describe('an unknown option is an error that names the nearest known one', () => {
  test.each<[string, () => unknown, string]>([
    ['knnDistance', () => knnDistance(untyped({ K: 3 })), 'knnDistance has no option "K"; did you mean "k"?'],
    ['knnSimilarity', () => knnSimilarity(untyped({ epsilon: 1 })), 'it has the options "k", "index"'],
    ['kernelDensity', () => kernelDensity(untyped({ bandwith: 1 })), 'did you mean "bandwidth"?'],
    ['raceDensity', () => raceDensity(untyped({ hash: 4 })), 'raceDensity has no option "hash"'],
    ['clusterDensity', () => clusterDensity(untyped({ cluster: 4 })), 'did you mean "clusters"?'],
    ['inverseDensity', () => inverseDensity(untyped({ exponant: 2 })), 'did you mean "exponent"?'],
    ['sphericalKMeans', () => sphericalKMeans(points, untyped({ clusters: 2, round: 3 })), 'did you mean "rounds"?'],
    [
      'weighPrompts of rows',
      () => weighPrompts(points, untyped<WeighOptions>({ density: knnDistance() })),
      'no option "density"',
    ],
    [
      'weighPrompts of rows',
      () => weighPrompts(points, untyped<WeighOptions>({ batchSize: 3 })),
      'no option "batchSize"',
    ],
    ['weighPrompts', () => weighPrompts(['a'], untyped({ wieghting: inverseDensity() })), 'did you mean "weighting"?'],
  ])('%s', async (_, call, message) => {
    const result = (async () => call())();
    await expect(result).rejects.toThrow(InvalidArgumentError);
    await expect(result).rejects.toThrow(message);
  });
});

describe('a function in the wrong place is an error that shows the right one', () => {
  const density = Float64Array.of(1, 2, 4);

  test('a factory that was not called, alone and in a chain', async () => {
    const factory = untyped<Weighting>(inverseDensity);
    await expect(weighPrompts(points, { weighting: factory })).rejects.toThrow('call it: inverseDensity()');
    expect(() => compose(factory, targetEss(0.5))(density)).toThrow('call it: inverseDensity()');
    for (const transform of [targetEss, mixUniform, cap]) {
      const given = untyped<Weighting>(transform);
      await expect(weighPrompts(points, { weighting: given })).rejects.toThrow('got an array');
      expect(() => compose(given)(density)).toThrow(InvalidArgumentError);
      expect(() => compose(inverseDensity(), untyped<WeightTransform>(transform))).toThrow('argument 2 of compose');
    }
    await expect(weighPrompts(points, { weighting: untyped(() => inverseDensity()) })).rejects.toThrow('got Function');
  });

  test('something that is no function, or no number', () => {
    expect(() => compose(inverseDensity(), untyped<WeightTransform>(0.5))).toThrow('argument 2 of compose');
    expect(() => compose(inverseDensity(), untyped<WeightTransform>(undefined))).toThrow(InvalidArgumentError);
    expect(() => compose(untyped<Weighting>({ targetEss: 0.5 }))).toThrow(InvalidArgumentError);
    expect(() => weightTransform(untyped(3))).toThrow(InvalidArgumentError);
    expect(() => targetEss(untyped('0.5'))).toThrow('targetEss takes a number, share');
    expect(() => targetEss(untyped({ share: 0.5 }))).toThrow('got object');
  });

  test('a weighting that returns a plain array', async () => {
    const weighting = untyped<Weighting>((given: Float64Array) => Array.from(given, (value) => 1 / value));
    await expect(weighPrompts(points, { weighting })).rejects.toThrow('must return a Float64Array');
  });

  test('a transform hidden in a function of its own cannot be told from a weighting, but the report warns', async () => {
    const hidden: Weighting = (given) => targetEss(0.5)(given);
    const { report } = await weighPrompts(points, { weighting: hidden });
    expect(report.warnings.join()).toContain('favor crowded');
  });
});

test('an estimator that is none, an index in place of its factory, and points that are no matrix are refused', async () => {
  const estimate = untyped<() => WeighOptions>(() => ({ estimator: knnDistance }));
  await expect(weighPrompts(points, estimate())).rejects.toThrow(
    'weighPrompts needs a density estimator, got a function; call the function that makes one, such as knnDistance()',
  );
  const index = untyped<() => NeighborIndex>(autoIndex());
  for (const make of [knnDistance, knnSimilarity]) {
    expect(() => make({ index })).toThrow(InvalidArgumentError);
    expect(() => make({ index })).toThrow('index must be a function that makes an empty index, got an object');
  }
  expect(() => kernelDensity({ method: 'near-and-random', index })).toThrow('index must be a function');
  for (const make of [knnDistance, kernelDensity, raceDensity, clusterDensity]) {
    await expect(make().fit(untyped([[1, 2]]))).rejects.toThrow('points must be a matrix { data, rows, cols }');
    await expect(make().fit(untyped(undefined))).rejects.toThrow('got undefined');
  }
  for (const make of [raceDensity, clusterDensity, kernelDensity]) {
    expect(() => make({ seed: 0.5 })).toThrow('seed must be a safe integer, got 0.5');
  }
  await expect(weighPrompts(untyped<string[]>(new Set(['a'])), untyped({}))).rejects.toThrow('needs an array of items');
});

test('a weighting of what is no list of densities, and a list of weightings, are refused', async () => {
  expect(() => inverseDensity()(untyped('abc'))).toThrow('densities must be a Float64Array with one density per row');
  expect(() => inverseDensity()(untyped(Promise.resolve()))).toThrow('got a promise; did you forget await?');
  expect(() => compose(untyped([inverseDensity()]))).toThrow('from densities to weights, got an array');
});
