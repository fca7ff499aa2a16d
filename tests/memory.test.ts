import { expect, test } from 'vitest';
import { runApart } from './bench/memory/run-apart.mjs';
import { isExhaustive } from './support/exhaustive.js';

interface Measured {
  readonly fingerprint: string;
  readonly peakBytes: number;
  /** Size of all mean logits. */
  readonly allBytes: number;
  readonly largestDeviation: number;
  readonly messages: readonly string[];
}

const measure = (options: object): Promise<Measured> => runApart('vocabulary-space.mjs', options);

test('vocabulary-space density keeps neither all logits nor more than its blocks of rows in memory', async () => {
  const size = isExhaustive
    ? { prompts: 6000, vocabulary: 50_304, hidden: 64 }
    : { prompts: 3000, vocabulary: 40_000, hidden: 32 };
  const { fingerprint, peakBytes, allBytes, largestDeviation } = await measure({ ...size, k: 10, memoryBytes: 0 });
  expect(fingerprint).toBe('causal-lm:logits-isometry');
  expect(peakBytes).toBeLessThan(isExhaustive ? allBytes / 4 : allBytes * 0.75);
  expect(largestDeviation).toBeLessThan(1e-5);
}, 300_000);

test('the density of a soft-capped head equals that of its mean logits, read from disk', async () => {
  const size = isExhaustive ? { prompts: 800, vocabulary: 8000 } : { prompts: 200, vocabulary: 1000 };
  const measured = await measure({ ...size, hidden: 32, softCap: 15, k: 10, memoryBytes: 0 });
  expect(measured.fingerprint).toBe('causal-lm:logits');
  expect(measured.largestDeviation).toBeLessThan(1e-5);
  expect(measured.messages[0]).toContain(`${size.prompts} rows of ${size.vocabulary} logits`);
}, 300_000);
