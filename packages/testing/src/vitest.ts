import { describe, test } from 'vitest';
import { type Check, type CheckOptions, checkExpectedFailures, performCheck } from './check.js';

/** Defines one vitest test per check, in a `describe` block of this name. */
export function describeChecks(
  name: string,
  checks: readonly Check[],
  { expectedFailures = {} }: CheckOptions = {},
): void {
  checkExpectedFailures(checks, expectedFailures);
  describe(name, () => {
    for (const check of checks) {
      test(check.name, async ({ skip }) => {
        const outcome = await performCheck(check, expectedFailures[check.name]);
        if (outcome.status === 'failed') throw outcome.error;
        if (outcome.status === 'skipped') skip(outcome.reason);
      });
    }
  });
}
