import { type Metric, selfJoin } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { tfjsIndex } from '@rarefy/neighbors/tfjs';
import { clusters, neighborIndexChecks, normalPoints, rowsOf } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';

describeOnBackends('tfjsIndex', () => {
  describeChecks('conformance', neighborIndexChecks({ create: () => tfjsIndex({ metric: 'cosine' }) }));

  test('equals exactIndex bit for bit and leaves no tensor behind', async () => {
    const duplicates = rowsOf(
      clusters([0.1, 0.3], 300, 48, 1),
      [...Array(900).keys()].map((row) => row % 600),
    );
    const before = tf.memory().numTensors;
    for (const metric of ['euclidean', 'cosine', 'dot'] satisfies Metric[]) {
      for (const points of [duplicates, normalPoints(500, 100, 2)]) {
        const index = await tfjsIndex({ metric, blockRows: 256 });
        expect(index.capabilities.exact).toBe(true);
        const expected = await selfJoin(exactIndex({ metric }), points, { k: 10 });
        expect(await selfJoin(index, points, { k: 10 })).toEqual(expected);
        await index[Symbol.asyncDispose]();
      }
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});
