import { exactIndex } from '@rarefy/neighbors/exact';
import { densityEstimatorChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { clusterDensity, kernelDensity, knnDistance, knnSimilarity, raceDensity } from './index.js';

const byCosine = () => exactIndex({ metric: 'cosine' });

describeChecks(
  'knnDistance',
  densityEstimatorChecks({
    create: () => knnDistance(),
    variants: [
      () => knnDistance({ k: 9 }),
      () => knnDistance({ epsilon: 1e-5 }),
      () => knnDistance({ index: byCosine }),
    ],
    fingerprint:
      'knn-distance:k=10,epsilon=0.000001:auto-index:metric=euclidean,exactUpTo=50000,seed=0,trees=12,width=auto,candidates=auto,rounds=30',
    scalePower: -1,
  }),
);

describeChecks(
  'knnDistance by cosine',
  densityEstimatorChecks({ create: () => knnDistance({ k: 3, index: byCosine }), scalePower: 0 }),
);

describeChecks(
  'knnSimilarity',
  densityEstimatorChecks({
    create: () => knnSimilarity(),
    variants: [() => knnSimilarity({ k: 19 }), () => knnDistance({ k: 20 })],
    fingerprint:
      'knn-similarity:k=20:auto-index:metric=dot,exactUpTo=50000,seed=0,trees=12,width=auto,candidates=auto,rounds=30',
    scalePower: 2,
  }),
);

const sampled = { method: 'near-and-random', k: 5, samples: 20 } as const;

describeChecks(
  'kernelDensity',
  densityEstimatorChecks({
    create: () => kernelDensity({ bandwidth: 0.4 }),
    variants: [
      () => kernelDensity(),
      () => kernelDensity({ bandwidth: 0.5 }),
      () => kernelDensity({ kernel: 'exponential', bandwidth: 0.4 }),
      () => kernelDensity({ kernel: 'angular' }),
      () => kernelDensity({ kernel: 'angular', power: 3 }),
      () => kernelDensity({ bandwidth: 0.4, ...sampled }),
      () => kernelDensity({ bandwidth: 0.4, ...sampled, k: 6 }),
      () => kernelDensity({ bandwidth: 0.4, ...sampled, samples: 21 }),
      () => kernelDensity({ bandwidth: 0.4, ...sampled, seed: 1 }),
      () => kernelDensity({ bandwidth: 0.4, ...sampled, index: byCosine }),
    ],
    fingerprint: 'kernel-density:kernel=gaussian,bandwidth=0.4',
  }),
);

describeChecks(
  'kernelDensity by angle',
  densityEstimatorChecks({ create: () => kernelDensity({ kernel: 'angular', power: 8 }), scalePower: 0 }),
);

describeChecks(
  'kernelDensity of near and random rows',
  densityEstimatorChecks({ create: () => kernelDensity({ kernel: 'exponential', bandwidth: 0.3, ...sampled }) }),
);
describeChecks(
  'kernelDensity of near and random rows by angle',
  densityEstimatorChecks({ create: () => kernelDensity({ kernel: 'angular', ...sampled }) }),
);
describeChecks(
  'kernelDensity with a bandwidth of its own',
  densityEstimatorChecks({ create: () => kernelDensity(), scalePower: 0, adapts: true }),
);

describeChecks(
  'raceDensity',
  densityEstimatorChecks({
    create: () => raceDensity({ rows: 200, hashes: 6 }),
    variants: [
      () => raceDensity({ rows: 201, hashes: 6 }),
      () => raceDensity({ rows: 200, hashes: 5 }),
      () => raceDensity({ rows: 200, hashes: 6, seed: 1 }),
      () => raceDensity({ rows: 200, hashes: 6, window: 100 }),
    ],
    fingerprint: 'race-density:rows=200,hashes=6,seed=0',
    scalePower: 0,
  }),
);
describeChecks(
  'raceDensity with a window',
  densityEstimatorChecks({ create: () => raceDensity({ rows: 100, window: 100 }), scalePower: 0 }),
);

describeChecks(
  'clusterDensity',
  densityEstimatorChecks({
    create: () => clusterDensity(),
    variants: [() => clusterDensity({ clusters: 10 }), () => clusterDensity({ seed: 1 })],
    fingerprint: 'cluster-density:clusters=root,seed=0',
    scalePower: 0,
    adapts: true,
  }),
);
