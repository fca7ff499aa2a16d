import { balancedSubset } from './balanced-subset.js';
import { coverageSubset } from './coverage-subset.js';
import type { SubsetMethod } from './subset.js';
import { weightedSubset } from './weighted-subset.js';

export const subsetMethods = {
  weighted: weightedSubset,
  coverage: coverageSubset,
  'cluster-balanced': balancedSubset,
} as const satisfies Record<string, SubsetMethod>;
