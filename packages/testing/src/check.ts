import { described, InvalidArgumentError, RarefyError } from '@rarefy/core';

/** One promise of an interface, as a small program that throws if a component breaks it. */
export interface Check {
  /** What a correct component does, in a few words; unique in its suite. */
  readonly name: string;
  /** Why users care, in one sentence. Part of the message when the check fails. */
  readonly why: string;
  /** What the component must support for this check to apply; otherwise the check is skipped. */
  readonly requires?: Requirement;
  /** Seed of the check's random inputs, if any. It never changes, and is part of the message when the check fails. */
  readonly seed?: number;
  /** Whether the checks after it are skipped if it fails, because they would fail for the same reason. */
  readonly stopsIfFailed?: boolean;
  run(): void | Promise<void>;
}

export interface Requirement {
  /** A noun phrase for the reason of a skip: `needs ${capability}`. */
  readonly capability: string;
  met(): boolean | Promise<boolean>;
}

/** A component breaks a promise of its interface. The message names the check, says what was seen, and why users care. */
export class CheckFailedError extends RarefyError {
  static override readonly code = 'RAREFY_CHECK_FAILED';
}

export interface CheckOptions {
  /** Checks that this component is known to fail: reasons by check name. If such a check passes, that is a failure. */
  readonly expectedFailures?: Readonly<Record<string, string>>;
}

export interface RunOptions extends CheckOptions {
  /** Receives the result of each check as it ends. */
  readonly onResult?: (result: CheckResult) => void;
  /** Aborts the run before the next check: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Outcome of one check. `reason` says why it was skipped: what the check needs, or which earlier check failed. */
export type Outcome =
  | { readonly status: 'passed' }
  | { readonly status: 'skipped'; readonly reason: string }
  | { readonly status: 'failed'; readonly error: RarefyError };

export type CheckResult = { readonly name: string } & Outcome;

export interface CheckReport {
  readonly passed: number;
  readonly failed: number;
  /** Checks whose requirement is not met, expected failures, and checks after a failed one that stops the rest. */
  readonly skipped: number;
  /** In the order of the checks. */
  readonly results: readonly CheckResult[];
}

/**
 * Runs all checks one after the other, without a test runner. A failure does not stop the run, unless the check says so.
 * @throws CheckFailedError if `expectedFailures` has a name that no check has; the signal's reason on abort.
 */
export async function runChecks(
  checks: readonly Check[],
  { expectedFailures = {}, onResult, signal }: RunOptions = {},
): Promise<CheckReport> {
  if (!Array.isArray(checks)) {
    throw new InvalidArgumentError(
      `runChecks needs a list of checks, such as samplerChecks({ create }), got ${described(checks)}`,
    );
  }
  const perform = checkPerformer(checks, expectedFailures);
  const results: CheckResult[] = [];
  for (const check of checks) {
    signal?.throwIfAborted();
    const result = { name: check.name, ...(await perform(check)) };
    results.push(result);
    onResult?.(result);
  }
  const count = (status: Outcome['status']) => results.filter((result) => result.status === status).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), results };
}

/**
 * A function that performs one check after the other, and skips the rest after a failure of one that stops it.
 * @param expectedFailures if a check is named there, its failure counts as skipped and its pass as failed
 * @throws CheckFailedError if `expectedFailures` has a name that no check has.
 */
export function checkPerformer(
  checks: readonly Check[],
  expectedFailures: Readonly<Record<string, string>>,
): (check: Check) => Promise<Outcome> {
  const unknown = Object.keys(expectedFailures).find((name) => !checks.some((check) => check.name === name));
  if (unknown !== undefined) {
    throw new CheckFailedError(`expectedFailures names "${unknown}", but no check has this name`);
  }
  let stopped: string | undefined;
  return async (check) => {
    if (stopped !== undefined) return { status: 'skipped', reason: `"${stopped}" failed` };
    const outcome = await performCheck(check, expectedFailures[check.name]);
    if (check.stopsIfFailed && outcome.status === 'failed') stopped = check.name;
    return outcome;
  };
}

async function performCheck(check: Check, expectedFailure: string | undefined): Promise<Outcome> {
  const { name, why, requires, seed } = check;
  try {
    if (requires && !(await requires.met())) return { status: 'skipped', reason: `needs ${requires.capability}` };
    await check.run();
  } catch (cause) {
    if (expectedFailure !== undefined) return { status: 'skipped', reason: `expected to fail: ${expectedFailure}` };
    const inputs = seed === undefined ? '' : ` (random inputs of seed ${seed})`;
    return { status: 'failed', error: new CheckFailedError(`${name}: ${seen(cause)}${inputs}. ${why}`, { cause }) };
  }
  if (expectedFailure === undefined) return { status: 'passed' };
  const message = `${name}: passed, but was expected to fail (${expectedFailure}); remove it from expectedFailures`;
  return { status: 'failed', error: new CheckFailedError(message) };
}

/** What a check saw. The errors of JavaScript itself come from the component, so they keep their class. */
function seen(cause: unknown): string {
  if (cause instanceof TypeError || cause instanceof ReferenceError) return `the component threw ${cause}`;
  return cause instanceof Error ? cause.message : String(cause);
}
