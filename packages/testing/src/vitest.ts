import { describe, test } from 'vitest';
import { type Check, type CheckOptions, checkPerformer } from './check.js';

/** Defines one vitest test per check, in a `describe` block of this name. */
export function describeChecks(
  name: string,
  checks: readonly Check[],
  { expectedFailures = {} }: CheckOptions = {},
): void {
  const perform = checkPerformer(checks, expectedFailures);
  describe(name, () => {
    for (const check of checks) {
      test(check.name, async ({ skip }) => {
        const outcome = await perform(check);
        if (outcome.status === 'failed') throw outcome.error;
        if (outcome.status === 'skipped') skip(outcome.reason);
      });
    }
  });
}
