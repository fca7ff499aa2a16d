import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const source = ['@rarefy/source'];

export default defineConfig({
  resolve: { conditions: source },
  ssr: { resolve: { conditions: source, externalConditions: source } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/testing/mutants/*.test.ts',
      'tests/**/*.test.ts',
      'examples/**/*.test.ts',
    ],
    maxWorkers: availableParallelism(), // by default, vitest leaves one core idle
    testTimeout: 300_000, // ends tests that hang; on a busy machine, valid tests take twenty times as long
    hookTimeout: 300_000,
  },
});
