import { densityEstimatorChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { kthDistance } from './kth-distance.js';

describeChecks(
  'kthDistance',
  densityEstimatorChecks({
    create: () => kthDistance({ k: 5 }),
    variants: [() => kthDistance({ k: 6 })],
    scalePower: -1, // points multiplied by 8 have an eighth of the density
  }),
);
