import type { Metric } from '@rarefy/core';
import { neighborIndexChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { exactIndex } from './exact.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

for (const metric of metrics) {
  const variants = metrics.filter((other) => other !== metric).map((other) => () => exactIndex({ metric: other }));
  describeChecks(
    `exactIndex, ${metric}`,
    neighborIndexChecks({
      create: () => exactIndex({ metric }),
      variants,
      fingerprint: `exact-index:metric=${metric}`,
    }),
  );
  describeChecks(
    `exactIndex, ${metric}, wasm engine`,
    neighborIndexChecks({
      create: () => exactIndex({ metric, engine: 'wasm' }),
      variants,
      fingerprint: `exact-index:metric=${metric}`,
    }),
  );
}
