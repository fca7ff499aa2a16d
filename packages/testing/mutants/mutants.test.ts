import { embedderFrom } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { type Check, runChecks } from '../src/check.js';
import { densityEstimatorChecks } from '../src/checks/density-estimator-checks.js';
import { embedderChecks } from '../src/checks/embedder-checks.js';
import { exporterChecks } from '../src/checks/exporter-checks.js';
import { forwardModelChecks } from '../src/checks/forward-model-checks.js';
import { loaderChecks } from '../src/checks/loader-checks.js';
import { loggerChecks } from '../src/checks/logger-checks.js';
import { neighborIndexChecks } from '../src/checks/neighbor-index-checks.js';
import { projectorChecks } from '../src/checks/projector-checks.js';
import { samplerChecks } from '../src/checks/sampler-checks.js';
import { formCheck } from '../src/component-checks.js';
import { landmarkProjector } from '../src/reference/landmark-projector.js';
import { letterEmbedder } from '../src/reference/letter-embedder.js';
import { naiveDensity } from '../src/reference/naive-density.js';
import { naiveExporter } from '../src/reference/naive-exporter.js';
import { naiveIndex } from '../src/reference/naive-index.js';
import { naiveLoader } from '../src/reference/naive-loader.js';
import { deckSampler, learningSampler, rouletteSampler } from '../src/reference/samplers.js';
import { densityMutants } from './density-mutants.js';
import { embedderMutants } from './embedder-mutants.js';
import { exporterMutants, readJson } from './exporter-mutants.js';
import { forwardModelMutants, forwardSubject } from './forward-model-mutants.js';
import { indexMutants } from './index-mutants.js';
import { loaderMutants, loaderRows, prefetchingLoader } from './loader-mutants.js';
import { localOutlierFactor } from './local-outlier-factor.js';
import { loggerMutants } from './logger-mutants.js';
import { memoryLogger } from './memory-logger.js';
import type { Mutant } from './mutant.js';
import { projectorMutants } from './projector-mutants.js';
import { samplerMutants } from './sampler-mutants.js';

/** Tests a suite: correct components pass it, and each check catches the mutants that are broken in its way. */
function describeSuite<Subject>(
  name: string,
  checks: (subject: Subject) => Check[],
  references: Readonly<Record<string, Subject>>,
  mutants: readonly Mutant<Subject>[],
): void {
  describe(name, () => {
    const passed = new Set<string>();
    test.each(Object.entries(references))('%s passes', async (_, subject) => {
      const { results } = await runChecks(checks(subject));
      for (const result of results) {
        if (result.status === 'failed') throw result.error;
        if (result.status === 'passed') passed.add(result.name);
      }
    });

    const names = checks(Object.values(references)[0]!).map((check) => check.name);
    test('every check is passed by a correct component and has a mutant, a unique name and a reason', () => {
      expect(names.filter((check) => !passed.has(check))).toEqual([]);
      const caught = new Set(mutants.map(({ caughtBy }) => caughtBy));
      expect(names.filter((check) => !caught.has(check))).toEqual([]);
      expect(new Set(names).size).toBe(names.length);
      for (const { why } of checks(Object.values(references)[0]!)) expect(why).toMatch(/^[A-Z].*\.$/);
    });

    test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
      'a component that %s is caught',
      async (_, mutant) => {
        const { results, passed, failed } = await runChecks(checks(mutant.subject));
        const failures = results.filter(({ status }) => status === 'failed').map((result) => result.name);
        expect(failures).toContain(mutant.caughtBy);
        if (mutant.caughtBy === formCheck) return expect(failures).toEqual([formCheck]); // the others are skipped
        expect(passed, `${failures}`).toBeGreaterThan(failed); // a mutant is broken in one way only
      },
    );
  });
}

const variant = <Component>(create: () => Component) => [create];

describeSuite(
  'embedder',
  embedderChecks,
  {
    'the letter embedder': {
      create: letterEmbedder,
      variants: variant(() => letterEmbedder({ maxCharacters: 9 })),
      countTensors: () => 0,
    },
    'one made by embedderFrom': {
      create: () =>
        embedderFrom({
          name: 'characters',
          dimensions: 64,
          embed: (texts) =>
            texts.map((text) => {
              const counts = new Float64Array(64);
              for (let index = 0; index < text.length; index++) counts[text.charCodeAt(index) % 64]!++;
              return counts;
            }),
          batchTolerance: 0,
        }),
    },
    'one that truncates and takes small batches': {
      create: () => letterEmbedder({ maxBatch: 16, maxCharacters: 150 }),
    },
  },
  embedderMutants,
);
describeSuite(
  'neighbor index',
  neighborIndexChecks,
  {
    'euclidean distance': { create: naiveIndex, variants: variant(() => naiveIndex({ metric: 'dot' })) },
    'cosine distance': { create: () => naiveIndex({ metric: 'cosine' }) },
    'inner product': { create: () => naiveIndex({ metric: 'dot' }) },
  },
  indexMutants,
);
describeSuite(
  'density estimator',
  densityEstimatorChecks,
  {
    'the naive density': {
      create: () => naiveDensity({ k: 5 }),
      variants: variant(() => naiveDensity({ k: 6 })),
      scalePower: -1,
    },
    'the local outlier factor': { create: () => localOutlierFactor({ k: 8 }), scalePower: 0 },
  },
  densityMutants,
);
describeSuite(
  'sampler',
  samplerChecks,
  {
    'roulette sampler': {
      create: () => rouletteSampler([4, 0, 1, 2, 3], { seed: 3 }),
      fromWeights: (weights) => rouletteSampler(weights, { seed: 4 }),
      variants: variant(() => rouletteSampler([4, 0, 1, 2, 3], { seed: 4 })),
    },
    'deck sampler': { create: () => deckSampler(11, { seed: 3 }), size: 11 },
    'finite deck sampler': { create: () => deckSampler(11, { seed: 3, epochs: 2 }), size: 11 },
    'learning sampler': { create: () => learningSampler(8, { seed: 3 }) },
  },
  samplerMutants,
);
describeSuite(
  'loader',
  loaderChecks,
  {
    'without prefetch': { create: naiveLoader, rows: loaderRows, countTensors: () => 0 },
    'with prefetch': { create: prefetchingLoader },
  },
  loaderMutants,
);
describeSuite(
  'projector',
  projectorChecks,
  { landmarks: { create: landmarkProjector, variants: [() => ({ ...landmarkProjector(), fingerprint: 'another' })] } },
  projectorMutants,
);
describeSuite(
  'exporter',
  exporterChecks,
  {
    JSON: { create: () => naiveExporter('json'), read: readJson, variants: variant(() => naiveExporter('csv')) },
    CSV: { create: () => naiveExporter('csv') },
    TSV: { create: () => naiveExporter('tsv') },
    HTML: { create: () => naiveExporter('html') },
  },
  exporterMutants,
);
describeSuite(
  'forward model',
  forwardModelChecks,
  { 'mean model': forwardSubject(), 'mean model without bias': forwardSubject({ bias: false }) },
  forwardModelMutants,
);
describeSuite('logger', loggerChecks, { 'memory logger': { create: memoryLogger } }, loggerMutants);

test('the local outlier factor fails the checks of densities that compare all rows, unless it declares to be relative', async () => {
  const { results } = await runChecks(
    densityEstimatorChecks({ create: () => localOutlierFactor({ k: 8, relative: false }), scalePower: 0 }),
  );
  const failures = results.filter((result) => result.status === 'failed');
  expect(failures.map(({ name }) => name)).toEqual([
    'returns larger densities for a tight cluster than for a loose one',
    'excludes each row from its own density',
    'scores new points consistently with the fit',
  ]);
  for (const { error } of failures) expect(error.message).toContain('declare capabilities.relative: true');
});
