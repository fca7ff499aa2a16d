import { RarefyError } from '@rarefy/core';

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

/** Outcome of one check. `reason` says why it was skipped. */
export type Outcome =
  | { readonly status: 'passed' }
  | { readonly status: 'skipped'; readonly reason: string }
  | { readonly status: 'failed'; readonly error: RarefyError };

export type CheckResult = { readonly name: string } & Outcome;

export interface CheckReport {
  readonly passed: number;
  readonly failed: number;
  /** Checks whose requirement is not met, and expected failures. */
  readonly skipped: number;
  /** In the order of the checks. */
  readonly results: readonly CheckResult[];
}

/**
 * Runs all checks one after the other, without a test runner. A failure does not stop the run.
 * @throws CheckFailedError if `expectedFailures` has a name that no check has; the signal's reason on abort.
 */
export async function runChecks(
  checks: readonly Check[],
  { expectedFailures = {}, onResult, signal }: RunOptions = {},
): Promise<CheckReport> {
  checkExpectedFailures(checks, expectedFailures);
  const results: CheckResult[] = [];
  for (const check of checks) {
    signal?.throwIfAborted();
    const result = { name: check.name, ...(await performCheck(check, expectedFailures[check.name])) };
    results.push(result);
    onResult?.(result);
  }
  const count = (status: Outcome['status']) => results.filter((result) => result.status === status).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), results };
}

/**
 * Runs one check.
 * @param expectedFailure why this component is known to fail it. If given, a failure counts as skipped and a pass as failed.
 */
export async function performCheck(check: Check, expectedFailure?: string): Promise<Outcome> {
  const { name, why, requires, seed } = check;
  try {
    if (requires && !(await requires.met())) return { status: 'skipped', reason: `needs ${requires.capability}` };
    await check.run();
  } catch (cause) {
    if (expectedFailure !== undefined) return { status: 'skipped', reason: `expected to fail: ${expectedFailure}` };
    const seen = cause instanceof Error ? cause.message : String(cause);
    const inputs = seed === undefined ? '' : ` (random inputs of seed ${seed})`;
    return { status: 'failed', error: new CheckFailedError(`${name}: ${seen}${inputs}. ${why}`, { cause }) };
  }
  if (expectedFailure === undefined) return { status: 'passed' };
  const message = `${name}: passed, but was expected to fail (${expectedFailure}); remove it from expectedFailures`;
  return { status: 'failed', error: new CheckFailedError(message) };
}

/** @throws CheckFailedError if `expected` has a name that no check has. */
export function checkExpectedFailures(checks: readonly Check[], expected: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(expected).find((name) => !checks.some((check) => check.name === name));
  if (unknown === undefined) return;
  throw new CheckFailedError(`expectedFailures names "${unknown}", but no check has this name`);
}
